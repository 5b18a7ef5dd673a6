import type { Sql } from '../../platform/database/database.js'
import { addToTimeline, type TimelineKind } from '../timeline.js'
import type { VendorAnswer } from '../vendor/adapter.js'
import { reasonContext } from './cancel.js'
import { keyOfOrder } from './keys.js'
import type { PlaceOptions } from './place.js'
import { type LockedOrder, lockOrder } from './receive.js'
import { flagOrder } from './record.js'
import { logAttempt, passing, putOff, unambiguous } from './task-attempt.js'
import { finishTask, type RunTask, type VendorTask } from './tasks.js'

/** A placing whose answer was lost may still arrive at the vendor for so long: until then "unknown" is not believed. */
const mayStillArriveMs = 60_000

/** Tells the vendor that the customer stopped a check. An order whose number is not known is looked up first. */
export function createCanceling(options: Omit<PlaceOptions, 'onPlaced' | 'onCancelWanted'>): RunTask {
  return async (task, signal) => {
    const found = await options.database.pool.query<LockedOrder>(
      'SELECT * FROM orders WHERE background_check_id = $1',
      [task.id],
    )
    const order = found.rows[0]
    if (order === undefined) return
    const looked =
      order.vendor_order_id === null
        ? await lookUp(options, task, signal)
        : { kind: 'ok' as const, value: order.vendor_order_id }
    const answer =
      looked.kind === 'ok' && looked.value !== null
        ? await options.vendor.cancelOrder(looked.value, reasonOf(options, task, order), { signal })
        : looked
    const knows = answer.kind === 'ok' || (looked.kind === 'ok' && hasNothingToStop(answer))
    await options.database.transaction((sql) => settle(options, sql, task, answer, knows))
    logAttempt(options.log, task, answer)
  }
}

async function lookUp(
  { database, vendor }: Pick<PlaceOptions, 'database' | 'vendor'>,
  task: VendorTask,
  signal: AbortSignal,
): Promise<VendorAnswer<string | null>> {
  const found = await vendor.findOrder(task.id, { signal })
  if (found.kind !== 'ok') return found
  if (found.value !== null) return { kind: 'ok', value: found.value.orderId }
  if (await isOver(database.pool, task.ambiguousAt)) return { kind: 'ok', value: null }
  return {
    kind: 'retry',
    message: 'a placing whose answer was lost may still arrive',
    retryAfterMs: 10_000,
    ambiguous: false,
  }
}

/** By PostgreSQL's clock, which wrote the time down: this process' may be another. */
async function isOver(sql: Sql, lostAt: Date | null): Promise<boolean> {
  const { rows } = await sql.query<{ over: boolean | null }>(
    `SELECT now() - $1::timestamptz >= $2 * interval '1 ms' AS over`,
    [lostAt, mayStillArriveMs],
  )
  return rows[0]?.over ?? true
}

function reasonOf({ sealer }: Pick<PlaceOptions, 'sealer'>, task: VendorTask, order: LockedOrder): string {
  // What was erased is canceled all the same, without the customer's words.
  if (task.reasonSealed === null || order.data_key === null) return ''
  return keyOfOrder(sealer, task.id, order.data_key).open(task.reasonSealed, reasonContext(task.id)).toString('utf8')
}

async function settle(
  options: Pick<PlaceOptions, 'random'>,
  sql: Sql,
  task: VendorTask,
  answer: VendorAnswer<string | null>,
  /** Else it may go on with a check that nobody wants any more, and a person has to tell it. */
  knows: boolean,
): Promise<void> {
  await lockOrder(sql, task.id)
  const toRepeat = passing(task, answer)
  if (toRepeat !== null) return putOff(sql, task, unambiguous(toRepeat), options.random)
  if (!(await finishTask(sql, task))) return
  if (!knows) await flagOrder(sql, task.id, 'vendor_not_told')
  await addToTimeline(sql, [{ backgroundCheckId: task.id, kind: kindOf(answer) }])
}

/** A cancel that the vendor understood: the order can no longer be stopped (409), or it has none such (410). */
function hasNothingToStop(answer: VendorAnswer<unknown>): boolean {
  return answer.kind === 'final' && (answer.status === 409 || answer.status === 410)
}

function kindOf({ kind }: VendorAnswer<unknown>): TimelineKind {
  if (kind === 'ok') return 'vendor_canceled'
  return kind === 'final' ? 'vendor_cancel_refused' : 'vendor_cancel_given_up'
}

/** Telling the vendor crashed too often: it may go on, as above. */
export async function giveUpCanceling(sql: Sql, task: VendorTask): Promise<void> {
  await lockOrder(sql, task.id)
  if (!(await finishTask(sql, task))) return
  await flagOrder(sql, task.id, 'vendor_not_told')
  await addToTimeline(sql, [{ backgroundCheckId: task.id, kind: 'vendor_cancel_given_up' }])
}
