import { sealJson } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import type { Origin } from '../map.js'
import type { Effect } from '../orders/receive.js'
import type { AccountToBind } from '../vendor/adapter.js'

/**
 * The room `accounts`: customers that added the vendor in Feishu. Keeps each account as Feishu last described it and
 * leaves a task to tell the vendor. The same account bound again updates it. One that was only known from orders
 * (`unbound`) becomes that of whoever bound it.
 */
export const accountContext = (accountId: string): string => `account:${accountId}`
export const taskOfAccount = (accountId: string): string => `account:${accountId}`

export async function registerAccount(
  sql: Sql,
  sealer: Sealer,
  origin: Origin,
  account: AccountToBind,
): Promise<Effect> {
  await lockAccount(sql, account.accountId)
  const kept = await sql.query(
    `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, custom_fields_sealed, state)
     VALUES ($1, $2, $3, $4, $5, $6, 'unconfirmed')
     ON CONFLICT (account_id) DO UPDATE SET app_id = excluded.app_id, tenant_key = excluded.tenant_key,
       name = excluded.name, usage_list = excluded.usage_list, custom_fields_sealed = excluded.custom_fields_sealed,
       state = 'unconfirmed', failure = NULL, updated_at = now()
     WHERE accounts.state = 'unbound' OR (accounts.app_id = excluded.app_id AND accounts.tenant_key = excluded.tenant_key)`,
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

/**
 * To be called before an account or its task is written: whoever binds, registers or confirms it does so one after the
 * other, whichever of the two rows is there already.
 */
export async function lockAccount(sql: Sql, accountId: string): Promise<void> {
  await sql.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [taskOfAccount(accountId)])
}

/** Makes the binding due now; one that is being asked at this moment is asked again with what is known now. */
export async function askToBind(sql: Sql, accountId: string, tenantKey: string): Promise<void> {
  await sql.query(
    // A claim of a task that was dropped may still be under way: the fences of the two must not meet.
    `INSERT INTO vendor_tasks (subject, action, tenant_key, fence) VALUES ($1, 'bind', $2, floor(random() * 1e9)::int)
     ON CONFLICT (subject) DO UPDATE SET due_at = now(), fence = vendor_tasks.fence + 1, claimed = false, attempts = 0`,
    [taskOfAccount(accountId), tenantKey],
  )
}

/** Nobody has to be asked any more; an answer that is under way finds its task gone and changes nothing. */
export async function dropBinding(sql: Sql, accountId: string): Promise<void> {
  await sql.query('DELETE FROM vendor_tasks WHERE subject = $1', [taskOfAccount(accountId)])
}
