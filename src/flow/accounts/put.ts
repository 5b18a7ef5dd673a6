import { isDeepStrictEqual } from 'node:util'
import { openJson, sealJson } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import type { Origin } from '../map.js'
import { keepUnboundAccount } from '../orders/unbound.js'
import { accountContext, askToBind, dropBinding, lockAccount } from './register.js'

/** An account that a customer bound before this service was there; what is left out stays as it is. */
export interface AccountToPut {
  accountId: string
  accountName?: string
  usageList?: readonly number[]
  customFields?: Readonly<Record<string, string>>
  /** Which customer the vendor knows it as: then nobody has to ask. */
  customerId?: string
}

/** `elsewhere`: it is an account of another app or tenant, and stays that. */
export type PutAccount = { kind: 'kept' } | { kind: 'elsewhere' }

/**
 * Registers an account as an operator knows it. With `customerId` it is confirmed; without, the vendor is asked which
 * customer it is, unless it was asked about the very same account before. The same again changes nothing.
 */
export async function putAccount(sql: Sql, sealer: Sealer, origin: Origin, given: AccountToPut): Promise<PutAccount> {
  const { accountId } = given
  await lockAccount(sql, accountId)
  await keepUnboundAccount(sql, origin, accountId)
  const before = await readAccount(sql, accountId)
  if (before.app_id !== origin.appId || before.tenant_key !== origin.tenantKey) return { kind: 'elsewhere' }
  const changed = describes(given, before, sealer)
  const { customerId } = given
  if (customerId !== undefined) {
    if (!changed && before.state === 'confirmed' && before.customer_id === customerId) return { kind: 'kept' }
    await write(sql, sealer, given, 'confirmed')
    await dropBinding(sql, accountId)
  } else if (changed || before.state === 'unbound' || before.state === 'failed') {
    await write(sql, sealer, given, 'unconfirmed')
    await askToBind(sql, accountId, origin.tenantKey)
  }
  return { kind: 'kept' }
}

interface AccountRow {
  app_id: string
  tenant_key: string
  name: string
  usage_list: number[]
  custom_fields_sealed: Buffer | null
  state: string
  customer_id: string | null
}

async function readAccount(sql: Sql, accountId: string): Promise<AccountRow> {
  const found = await sql.query<AccountRow>(
    `SELECT app_id, tenant_key, name, usage_list, custom_fields_sealed, state, customer_id
     FROM accounts WHERE account_id = $1 FOR UPDATE`,
    [accountId],
  )
  if (found.rows[0] === undefined) throw new Error(`account ${accountId} cannot be read after it was kept`)
  return found.rows[0]
}

/** Whether it says anything about the account that was not known. */
function describes(given: AccountToPut, before: AccountRow, sealer: Sealer): boolean {
  const { accountName: name, usageList, customFields } = given
  if (name !== undefined && name !== before.name) return true
  if (usageList !== undefined && !isDeepStrictEqual([...usageList], before.usage_list)) return true
  if (customFields === undefined) return false
  const sealed = before.custom_fields_sealed
  return !isDeepStrictEqual(
    customFields,
    sealed === null ? {} : openJson(sealer, sealed, accountContext(given.accountId)),
  )
}

async function write(sql: Sql, sealer: Sealer, given: AccountToPut, state: 'confirmed' | 'unconfirmed'): Promise<void> {
  const { accountId, accountName, usageList, customFields, customerId } = given
  await sql.query(
    `UPDATE accounts SET name = coalesce($2, name), usage_list = coalesce($3, usage_list),
       custom_fields_sealed = coalesce($4, custom_fields_sealed), customer_id = coalesce($5, customer_id), state = $6,
       failure = NULL, updated_at = now() WHERE account_id = $1`,
    [
      accountId,
      accountName ?? null,
      usageList ?? null,
      customFields === undefined ? null : sealJson(sealer, customFields, accountContext(accountId)),
      customerId ?? null,
      state,
    ],
  )
}
