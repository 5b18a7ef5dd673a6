import type { Sql } from '../../platform/database/database.js'
import type { Origin } from '../map.js'

/**
 * Keeps that a customer orders under an account that nobody bound here: before this service was there, or its event is
 * still to come. An account that is known stays as it is, whoever it belongs to: no order may claim somebody's account.
 * What is no id of Feishu's names no account.
 *
 * The row is locked last, after lane, order and task.
 */
export async function keepUnboundAccount(sql: Sql, { appId, tenantKey }: Origin, accountId: string): Promise<void> {
  if (!/^\d{1,32}$/.test(accountId)) return
  await sql.query({
    name: 'keep-unbound-account',
    text: `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state)
     VALUES ($1, $2, $3, '', '{}', 'unbound') ON CONFLICT DO NOTHING`,
    values: [accountId, appId, tenantKey],
  })
}
