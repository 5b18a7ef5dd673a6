import { openJson } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { logAttempt, pauseMs } from '../orders/place.js'
import { finishTask, type RunTask, retryTask, type VendorTask } from '../orders/tasks.js'
import type { AccountToBind, BoundAccount, VendorAdapter, VendorAnswer } from '../vendor/adapter.js'
import { accountContext } from './register.js'

export interface BindOptions {
  database: Database
  sealer: Sealer
  vendor: VendorAdapter
  log: Logger
  random?: () => number
}

interface AccountRow {
  account_id: string
  tenant_key: string
  name: string
  usage_list: number[]
  custom_fields_sealed: Buffer | null
}

/** A vendor that does not know the customer yet is asked again this often. */
const unconfirmedAgainMs = 600_000

/** Tells the vendor that a customer bound an account, until the vendor says which customer that is. */
export function createBinding(options: BindOptions): RunTask {
  return async (task, signal) => {
    const account = await readAccount(options, task.id)
    if (account === null) return
    const answer = await options.vendor.bindAccount(account, { signal })
    await options.database.transaction((sql) => settle(options, sql, task, answer))
    logAttempt(options.log, task, answer)
  }
}

async function readAccount({ database, sealer }: BindOptions, id: string): Promise<AccountToBind | null> {
  const found = await database.pool.query<AccountRow>('SELECT * FROM accounts WHERE account_id = $1', [id])
  const row = found.rows[0]
  if (row === undefined) return null
  const fields = row.custom_fields_sealed === null ? {} : openJson(sealer, row.custom_fields_sealed, accountContext(id))
  return {
    accountId: row.account_id,
    tenantKey: row.tenant_key,
    accountName: row.name,
    usageList: row.usage_list,
    // Only registerAccount writes this column.
    customFields: fields as Record<string, string>,
  }
}

async function settle(
  options: BindOptions,
  sql: Sql,
  task: VendorTask,
  answer: VendorAnswer<BoundAccount>,
): Promise<void> {
  // The account before its task, as in registerAccount.
  await sql.query('SELECT 1 FROM accounts WHERE account_id = $1 FOR UPDATE', [task.id])
  if (answer.kind === 'final') return settleRefused(sql, task, answer.message)
  if (answer.kind !== 'ok') {
    return retryTask(sql, task, {
      inMs: pauseMs(answer, task.attempts + 1, options.random ?? Math.random),
      failure: answer,
    })
  }
  if (answer.value.customerId === null) {
    const message = 'the vendor has not confirmed the customer yet'
    return retryTask(sql, task, { inMs: unconfirmedAgainMs, failure: { kind: 'retry', message, ambiguous: false } })
  }
  if (!(await finishTask(sql, task))) return
  await sql.query(
    `UPDATE accounts SET state = 'confirmed', customer_id = $2, failure = NULL, updated_at = now() WHERE account_id = $1`,
    [task.id, answer.value.customerId],
  )
}

async function settleRefused(sql: Sql, task: VendorTask, message: string): Promise<void> {
  if (!(await finishTask(sql, task))) return
  const failure = {
    class: 'vendor',
    message: `the vendor refused the account: ${message}`,
    action: 'mend the cause at the vendor, then bind again',
  }
  await sql.query(`UPDATE accounts SET state = 'failed', failure = $2, updated_at = now() WHERE account_id = $1`, [
    task.id,
    failure,
  ])
}
