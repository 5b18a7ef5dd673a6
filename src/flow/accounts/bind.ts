import { openJson } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { type Offered, offerCatalog } from '../catalog/offer.js'
import { saying } from '../catalog/shapes.js'
import { mostCrashes } from '../orders/crashes.js'
import { logAttempt, putOff } from '../orders/task-attempt.js'
import { finishTask, type RunTask, retryTask, type VendorTask } from '../orders/tasks.js'
import type { AccountToBind, BoundAccount, VendorAdapter, VendorAnswer } from '../vendor/adapter.js'
import { accountContext, lockAccount } from './register.js'

export interface BindOptions {
  database: Database
  sealer: Sealer
  vendor: VendorAdapter
  log: Logger
  /** Buckets that got calls for the account's catalog. */
  onReady?: (buckets: readonly number[]) => void
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
    const offered = await options.database.transaction((sql) => settle(options, sql, task, answer))
    logAttempt(options.log, task, answer)
    report(options, task.id, offered)
  }
}

function report({ log, onReady }: BindOptions, accountId: string, offered: Offered): void {
  const ids = { account_id: accountId }
  if (offered.kind === 'taken') {
    log.info({ event: 'catalog.offered', ...ids }, 'the vendor says what Feishu should show of it')
    onReady?.(offered.buckets)
  }
  if (offered.kind === 'refused') {
    const reason = saying(offered.complaints)
    log.warn({ event: 'catalog.refused', ...ids, reason }, 'the catalog of the vendor cannot be shown in Feishu')
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
    // Only registerAccount and putAccount write this column.
    customFields: fields as Record<string, string>,
  }
}

const unchanged: Offered = { kind: 'unchanged' }

async function settle(
  options: BindOptions,
  sql: Sql,
  task: VendorTask,
  answer: VendorAnswer<BoundAccount>,
): Promise<Offered> {
  await lockAccount(sql, task.id)
  if (answer.kind === 'ok' && answer.value.customerId !== null) {
    return settleConfirmed(options, sql, task, answer.value, answer.value.customerId)
  }
  if (answer.kind === 'final') await settleRefused(sql, task, answer.message)
  else if (answer.kind === 'ok') {
    const message = 'the vendor has not confirmed the customer yet'
    await retryTask(sql, task, { inMs: unconfirmedAgainMs, failure: { kind: 'retry', message, ambiguous: false } })
  } else await putOff(sql, task, answer, options.random)
  return unchanged
}

/** The account first, and its catalog with it: a catalog that does not fit leaves the account confirmed. */
async function settleConfirmed(
  { sealer }: BindOptions,
  sql: Sql,
  task: VendorTask,
  { catalog }: BoundAccount,
  customerId: string,
): Promise<Offered> {
  if (!(await finishTask(sql, task))) return unchanged
  await sql.query(
    `UPDATE accounts SET state = 'confirmed', customer_id = $2, failure = NULL, updated_at = now() WHERE account_id = $1`,
    [task.id, customerId],
  )
  return catalog === undefined ? unchanged : offerCatalog(sql, sealer, task.id, catalog)
}

async function settleRefused(sql: Sql, task: VendorTask, message: string): Promise<void> {
  await failAccount(sql, task, {
    class: 'vendor',
    message: `the vendor refused the account: ${message}`,
    action: 'mend the cause at the vendor, then bind again',
  })
}

/** Binding crashed too often. */
export async function giveUpBinding(sql: Sql, task: VendorTask): Promise<void> {
  await lockAccount(sql, task.id)
  const message = `binding it crashed ${mostCrashes} times`
  await failAccount(sql, task, { class: 'ours', message, action: 'look into the log, then bind again' })
}

async function failAccount(sql: Sql, task: VendorTask, failure: Record<string, string>): Promise<void> {
  if (!(await finishTask(sql, task))) return
  await sql.query(`UPDATE accounts SET state = 'failed', failure = $2, updated_at = now() WHERE account_id = $1`, [
    task.id,
    failure,
  ])
}
