import { openJson } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { addToTimeline } from '../timeline.js'
import type { OrderToPlace, VendorAdapter, VendorAnswer, VendorFailure } from '../vendor/adapter.js'
import { keyOfOrder } from './keys.js'
import { type LockedOrder, lockOrder, payloadContext, taskOfOrder } from './receive.js'
import { logAttempt, passing, putOff } from './task-attempt.js'
import { finishTask, type RunTask, turnTask, type VendorTask } from './tasks.js'

export interface PlaceOptions {
  database: Database
  sealer: Sealer
  vendor: VendorAdapter
  log: Logger
  random?: () => number
  /** Called after an order got its number at the vendor. */
  onPlaced: () => void
  onCancelWanted: () => void
}

/**
 * Places an order at the vendor. When an earlier answer was lost the vendor is asked whether it has the order, and
 * only then asked to place it again, under the same idempotency key.
 */
export function createPlacing(options: PlaceOptions): RunTask {
  return async (task, signal) => {
    const order = await readOrder(options, task.id)
    if (order === 'not_wanted') return settleUnwanted(options, task)
    const answer = await askToPlace(options.vendor, order, task.ambiguousAt !== null, signal)
    await options.database.transaction((sql) => settle(options, sql, task, answer))
    logAttempt(options.log, task, answer)
    if (answer.kind === 'ok') options.onPlaced()
    options.onCancelWanted()
  }
}

async function askToPlace(
  vendor: VendorAdapter,
  order: OrderToPlace,
  lookFirst: boolean,
  signal: AbortSignal,
): Promise<VendorAnswer<{ orderId: string }>> {
  if (lookFirst) {
    const found = await vendor.findOrder(order.backgroundCheckId, { signal })
    if (found.kind !== 'ok') return found.kind === 'final' ? vendor.placeOrder(order, { signal }) : keepAmbiguous(found)
    if (found.value !== null) return { kind: 'ok', value: { orderId: found.value.orderId } }
  }
  return vendor.placeOrder(order, { signal })
}

/** A look-up that failed says nothing about the call before it. */
function keepAmbiguous(failure: VendorFailure): VendorFailure {
  return failure.kind === 'retry' ? { ...failure, ambiguous: true } : failure
}

async function readOrder({ database, sealer }: PlaceOptions, id: string): Promise<OrderToPlace | 'not_wanted'> {
  const found = await database.pool.query<LockedOrder>(
    `SELECT o.* FROM orders o JOIN vendor_tasks t ON t.subject = $2 AND t.action = 'place' WHERE o.background_check_id = $1`,
    [id, taskOfOrder(id)],
  )
  const order = found.rows[0]
  if (order?.state !== 'received' || order.payload_sealed === null) return 'not_wanted'
  const key = keyOfOrder(sealer, id, order.data_key)
  // Only receiveOrder writes this column.
  return openJson(key, order.payload_sealed, payloadContext(id)) as OrderToPlace
}

/** The order was canceled between the claim and now: nothing of this attempt reached the vendor. */
async function settleUnwanted(options: PlaceOptions, task: VendorTask): Promise<void> {
  await options.database.transaction((sql) => turnTask(sql, task, 'cancel'))
  options.onCancelWanted()
}

async function settle(
  options: PlaceOptions,
  sql: Sql,
  task: VendorTask,
  answer: VendorAnswer<{ orderId: string }>,
): Promise<void> {
  const order = await lockOrder(sql, task.id)
  const mine = await sql.query<{ action: string }>(
    'SELECT action FROM vendor_tasks WHERE subject = $1 AND fence = $2 FOR UPDATE',
    [task.subject, task.fence],
  )
  const [row] = mine.rows
  if (order === null || row === undefined) return
  // A cancel that came meanwhile, the customer's or an operator's, turned the task.
  const wanted = order.state === 'received' && row.action === 'place'
  if (answer.kind === 'ok' && (await belongsToAnother(sql, task.id, answer.value.orderId))) {
    if (!wanted) await finishTask(sql, task)
    else await failOrder(sql, task, 'place_refused', 'the vendor answered the number of another check')
  } else if (answer.kind === 'ok') await settlePlaced(sql, task, wanted, answer.value.orderId)
  else if (!wanted) await settleCanceledMeanwhile(sql, task, answer)
  else await settleFailure(options, sql, task, answer)
}

/** Two placings that settle at once are told the same number one after the other. */
async function belongsToAnother(sql: Sql, id: string, vendorOrderId: string): Promise<boolean> {
  await lockVendorOrder(sql, vendorOrderId)
  return isTakenByAnother(sql, id, vendorOrderId)
}

export async function lockVendorOrder(sql: Sql, vendorOrderId: string): Promise<void> {
  await sql.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`vendor-order:${vendorOrderId}`])
}

export async function isTakenByAnother(sql: Sql, id: string, vendorOrderId: string): Promise<boolean> {
  const text = 'SELECT 1 FROM orders WHERE vendor_order_id = $1 AND background_check_id <> $2'
  return (await sql.query(text, [vendorOrderId, id])).rowCount !== 0
}

async function settlePlaced(sql: Sql, task: VendorTask, wanted: boolean, vendorOrderId: string): Promise<void> {
  await sql.query(
    `UPDATE orders SET vendor_order_id = $2, state = CASE WHEN state = 'received' THEN 'ordered' ELSE state END, updated_at = now()
     WHERE background_check_id = $1`,
    [task.id, vendorOrderId],
  )
  await addToTimeline(sql, [{ backgroundCheckId: task.id, kind: 'placed', detail: { vendor_order_id: vendorOrderId } }])
  if (!wanted) return turnTask(sql, task, 'cancel')
  await finishTask(sql, task)
  await sql.query('DELETE FROM vendor_nudges WHERE vendor_order_id = $1', [vendorOrderId])
  await sql.query(
    `INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING`,
    [task.id, task.tenantKey],
  )
}

async function settleCanceledMeanwhile(sql: Sql, task: VendorTask, failure: VendorFailure): Promise<void> {
  await turnTask(sql, task, 'cancel')
  const ambiguous = failure.kind === 'retry' && failure.ambiguous
  if (ambiguous) await sql.query('UPDATE vendor_tasks SET ambiguous_at = now() WHERE subject = $1', [task.subject])
}

async function settleFailure(options: PlaceOptions, sql: Sql, task: VendorTask, failure: VendorFailure): Promise<void> {
  if (failure.kind === 'final')
    return failOrder(sql, task, 'place_refused', `the vendor refused the order: ${failure.message}`)
  const toRepeat = passing(task, failure)
  if (toRepeat !== null) return putOff(sql, task, toRepeat, options.random)
  await failOrder(sql, task, 'place_given_up', `no success in 72 h: ${failure.message}`)
}

async function failOrder(
  sql: Sql,
  task: VendorTask,
  kind: 'place_refused' | 'place_given_up',
  message: string,
): Promise<void> {
  await finishTask(sql, task)
  const failure = {
    class: 'vendor',
    message,
    action: 'mend the cause at the vendor, then place the order again or cancel it',
  }
  await sql.query(
    `UPDATE orders SET state = 'failed', failure = $2, attention = array_append(array_remove(attention, 'failed'), 'failed'),
       updated_at = now() WHERE background_check_id = $1`,
    [task.id, failure],
  )
  await addToTimeline(sql, [{ backgroundCheckId: task.id, kind }])
}
