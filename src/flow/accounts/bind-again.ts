import type { Sql } from '../../platform/database/database.js'
import { askToBind, lockAccount } from './register.js'

/** Asks the vendor anew which customer an account is. False: there is no such account. */
export async function bindAgain(sql: Sql, accountId: string): Promise<boolean> {
  await lockAccount(sql, accountId)
  const found = await sql.query<{ tenant_key: string }>('SELECT tenant_key FROM accounts WHERE account_id = $1', [
    accountId,
  ])
  const account = found.rows[0]
  if (account === undefined) return false
  await askToBind(sql, accountId, account.tenant_key)
  await sql.query(
    `UPDATE accounts SET state = 'unconfirmed', failure = NULL, updated_at = now() WHERE account_id = $1`,
    [accountId],
  )
  return true
}
