import { sealJson } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import type { Effect, Origin } from '../orders/receive.js'
import type { AccountToBind } from '../vendor/adapter.js'

/**
 * The room `accounts`: customers that added the vendor in Feishu. Keeps each account as Feishu last described it and
 * leaves a task to tell the vendor. The same account bound again updates it.
 */
export const accountContext = (accountId: string): string => `account:${accountId}`
export const taskOfAccount = (accountId: string): string => `account:${accountId}`

export async function registerAccount(
  sql: Sql,
  sealer: Sealer,
  origin: Origin,
  account: AccountToBind,
): Promise<Effect> {
  // Task before account, as the settlement of a binding locks them.
  await sql.query('SELECT 1 FROM vendor_tasks WHERE subject = $1 FOR UPDATE', [taskOfAccount(account.accountId)])
  const kept = await sql.query(
    `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, custom_fields_sealed, state)
     VALUES ($1, $2, $3, $4, $5, $6, 'unconfirmed')
     ON CONFLICT (account_id) DO UPDATE SET name = excluded.name, usage_list = excluded.usage_list,
       custom_fields_sealed = excluded.custom_fields_sealed, state = 'unconfirmed', failure = NULL, updated_at = now()
     WHERE accounts.app_id = excluded.app_id AND accounts.tenant_key = excluded.tenant_key`,
    [
      account.accountId,
      origin.appId,
      origin.tenantKey,
      account.accountName,
      account.usageList,
      sealJson(sealer, account.customFields, accountContext(account.accountId)),
    ],
  )
  if (kept.rowCount === 0)
    return { kind: 'refused', problem: 'account_id: belongs to an account of another app or tenant' }
  await askToBind(sql, account.accountId, origin.tenantKey)
  return { kind: 'done' }
}

/** Makes the binding due now; one that is being asked at this moment is asked again with what is known now. */
export async function askToBind(sql: Sql, accountId: string, tenantKey: string): Promise<void> {
  await sql.query(
    `INSERT INTO vendor_tasks (subject, action, tenant_key) VALUES ($1, 'bind', $2)
     ON CONFLICT (subject) DO UPDATE SET due_at = now(), fence = vendor_tasks.fence + 1, claimed = false, attempts = 0`,
    [taskOfAccount(accountId), tenantKey],
  )
}
