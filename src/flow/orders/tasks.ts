import { setMaxListeners } from 'node:events'
import type { Database, Sql } from '../../platform/database/database.js'
import { type ClaimFairly, createFairClaim, sharesOf } from '../../platform/database/fair-claim.js'
import type { Logger } from '../../platform/logger.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import { inSpan } from '../../platform/tracing/spans.js'
import type { VendorFailure } from '../vendor/adapter.js'
import { onCrash } from './crashes.js'

/**
 * Calls that the vendor still owes an answer to: bind an account, place an order, cancel it, say once more what is to be
 * sent again. One row for each account, order, result or stage, claimed in turns by tenant, run, and settled under the
 * fence of the claim.
 */
export interface VendorTask {
  subject: string
  /** The id behind `account:` or `order:`, or what resend.ts puts behind `resend:`. */
  id: string
  action: TaskAction
  tenantKey: string
  fence: number
  attempts: number
  /** How long it has been tried when it was claimed, by PostgreSQL's clock; without what it waited for our own reasons. */
  ageMs: number
  /** An earlier attempt may have taken effect; when it ended. */
  ambiguousAt: Date | null
  reasonSealed: Buffer | null
  /** Of the order that it is about. */
  traceParent?: string | null
}

export type TaskAction = 'bind' | 'place' | 'cancel' | 'resend'
export type RunTask = (task: VendorTask, signal: AbortSignal) => Promise<void>
export type GiveUp = (sql: Sql, task: VendorTask) => Promise<void>

export interface TaskWorkerOptions {
  database: Database
  log: Logger
  concurrency: number
  /** Longest life of a claim in ms: a call to look up, a call to act, and their settlement. */
  leaseMs: number
  run: Record<TaskAction, RunTask>
  /** Ends a task that crashed too often, visibly, in one transaction. */
  giveUp: Record<TaskAction, GiveUp>
  onFailure?: (name: string) => void
}

const owed = {
  table: 'vendor_tasks',
  // A claim that was never settled belonged to a process that died: its call may have taken effect.
  set: `fence = claimed.fence + 1, claimed = true, first_attempt_at = coalesce(claimed.first_attempt_at, now()),
        ambiguous_at = CASE WHEN claimed.claimed THEN now() ELSE claimed.ambiguous_at END`,
  returning: `claimed.subject, claimed.action, claimed.tenant_key, claimed.fence, claimed.attempts,
              extract(epoch FROM now() - claimed.first_attempt_at)::float8 * 1000 AS age_ms,
              claimed.ambiguous_at, claimed.reason_sealed,
              CASE WHEN claimed.action <> 'bind' THEN (SELECT trace_parent FROM orders o
                WHERE o.background_check_id = substring(claimed.subject FROM '^[a-z]+:([^/]*)')) END AS trace_parent`,
}

export function startTaskWorker(options: TaskWorkerOptions): Loop {
  const { database, log, concurrency } = options
  const running = new Map<VendorTask, Promise<void>>()
  const claimFairly = createFairClaim<TaskRow>(owed)
  // Calls in flight are not broken off by a stop: they end by their timeout and settle.
  const { signal } = new AbortController()
  setMaxListeners(0, signal)
  const loop = startLoop({
    name: 'vendor-tasks',
    everyMs: 1000,
    log,
    ...(options.onFailure && { onFailure: options.onFailure }),
    turn: async () => {
      const free = concurrency - running.size
      if (free <= 0) return 1000
      const claimed = await claim(claimFairly, free, options, [...running.keys()])
      for (const task of claimed) {
        const run = runTraced(options.run[task.action], task, signal)
          .catch((failure: unknown) => onCrash(options, task, failure))
          .finally(() => {
            running.delete(task)
            loop.wake()
          })
        running.set(task, run)
      }
      return claimed.length === free ? 0 : restMs(database)
    },
  })
  return {
    wake: loop.wake,
    stop: async () => {
      await loop.stop()
      await Promise.all(running.values())
    },
  }
}

interface TaskRow {
  subject: string
  action: TaskAction
  tenant_key: string
  fence: number
  attempts: number
  age_ms: number
  ambiguous_at: Date | null
  reason_sealed: Buffer | null
  trace_parent: string | null
}

async function claim(
  claimFairly: ClaimFairly<TaskRow>,
  free: number,
  { database, leaseMs, concurrency }: TaskWorkerOptions,
  running: VendorTask[],
): Promise<VendorTask[]> {
  const inFlight = running.map(({ tenantKey }) => tenantKey)
  const { rows } = await claimFairly(database.pool, { most: free, leaseMs, inFlight, ...sharesOf(concurrency) })
  return rows.map((row) => ({
    subject: row.subject,
    id: row.subject.slice(row.subject.indexOf(':') + 1),
    action: row.action,
    tenantKey: row.tenant_key,
    fence: row.fence,
    attempts: row.attempts,
    ageMs: row.age_ms,
    ambiguousAt: row.ambiguous_at,
    reasonSealed: row.reason_sealed,
    traceParent: row.trace_parent,
  }))
}

function runTraced(run: RunTask, task: VendorTask, signal: AbortSignal): Promise<void> {
  const { action, subject, tenantKey, attempts, traceParent = null } = task
  const attributes = { 'bgc.subject': subject, 'bgc.tenant_key': tenantKey, 'bgc.attempts': attempts }
  return inSpan(`vendor task ${action}`, { kind: 'consumer', parent: traceParent, attributes }, () => run(task, signal))
}

/** What is due and could not be claimed waits for its tenant's turn: a task that ends wakes the loop. */
async function restMs(database: Database): Promise<number> {
  const next = await database.pool.query<{ ms: number | null }>(
    'SELECT ceil(extract(epoch FROM min(due_at) - now()) * 1000)::float8 AS ms FROM vendor_tasks',
  )
  const ms = next.rows[0]?.ms ?? 1000
  return ms <= 0 ? 100 : Math.max(10, ms)
}

/** Under the claim's fence only: true when the row was still this claim's. */
export async function finishTask(sql: Sql, task: VendorTask): Promise<boolean> {
  const gone = await sql.query('DELETE FROM vendor_tasks WHERE subject = $1 AND fence = $2', [task.subject, task.fence])
  return gone.rowCount === 1
}

export interface Retry {
  inMs: number
  failure: Extract<VendorFailure, { kind: 'retry' | 'misconfigured' }>
}

/** Puts a task off; waiting for a vendor that is not being called is not an attempt, and does not age the task. */
export async function retryTask(sql: Sql, task: VendorTask, { inMs, failure }: Retry): Promise<void> {
  const held = failure.kind === 'misconfigured' || failure.held === true
  const ambiguous = failure.kind === 'retry' && failure.ambiguous
  await sql.query(
    `UPDATE vendor_tasks SET claimed = false, due_at = now() + $3 * interval '1 ms', attempts = attempts + $4,
       first_attempt_at = first_attempt_at + CASE WHEN $4 = 0 THEN $3 ELSE 0 END * interval '1 ms',
       ambiguous_at = CASE WHEN $5 THEN now() ELSE ambiguous_at END, last_error = $6
     WHERE subject = $1 AND fence = $2`,
    [task.subject, task.fence, inMs, held ? 0 : 1, ambiguous, failure.message],
  )
}

/** Hands the task over to its next action, due at once. */
export async function turnTask(sql: Sql, task: VendorTask, action: TaskAction): Promise<void> {
  await sql.query(
    `UPDATE vendor_tasks SET action = $3, claimed = false, due_at = now(), attempts = 0, crashes = 0, last_error = NULL
     WHERE subject = $1 AND fence = $2`,
    [task.subject, task.fence, action],
  )
}
