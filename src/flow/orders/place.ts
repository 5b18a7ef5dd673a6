import { openJson } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { addToTimeline } from '../timeline.js'
import type { OrderToPlace, VendorAdapter, VendorAnswer, VendorFailure } from '../vendor/adapter.js'
import { failOrder } from './fail.js'
import { keyOfOrder } from './keys.js'
import { type LockedOrder, lockOrder, payloadContext, taskOfOrder } from './receive.js'
import { flagOrder } from './record.js'
import { logAttempt, passing, putOff } from './task-attempt.js'
import { finishTask, type RunTask, turnTask, type VendorTask } from './tasks.js'

export interface PlaceOptions {
  database: Database
  sealer: Sealer
  vendor: VendorAdapter
  log: Logger
  random?: () => number
  /** One call, whole. A claim has to last that much longer, and a call without an answer may take effect that much later. */
  timeoutMs?: number
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
    const answer = await askToPlace(options, task, order, signal)
    await options.database.transaction((sql) => settle(options, sql, task, answer))
    logAttempt(options.log, task, answer)
    if (answer.kind === 'ok') options.onPlaced()
    options.onCancelWanted()
  }
}

/** What the vendor gave an order: its number, and those of further orders that there should not be. */
interface Placed {
  orderId: string
  others?: readonly string[]
}

async function askToPlace(
  options: PlaceOptions,
  task: VendorTask,
  order: OrderToPlace,
  signal: AbortSignal,
): Promise<VendorAnswer<Placed>> {
  const { vendor } = options
  const looked = task.ambiguousAt === null ? null : await lookUp(options, task, task.ambiguousAt, signal)
  return looked ?? vendor.placeOrder(order, { signal, stillWanted: () => isStillMine(options, task) })
}

/** `null`: the vendor has no such order, place it. A failed look-up is returned as it is. */
async function lookUp(
  { database, vendor, timeoutMs = 0 }: PlaceOptions,
  task: VendorTask,
  ambiguousAt: Date,
  signal: AbortSignal,
): Promise<VendorAnswer<Placed> | null> {
  const found = await vendor.findOrder(task.id, { signal })
  // A vendor that never looks up has to go by the idempotency key.
  if (found.kind === 'final') return null
  if (found.kind !== 'ok') return found
  if (found.value !== null) return { kind: 'ok', value: found.value }
  // PostgreSQL wrote the time down: this process' clock may be another.
  const left = `SELECT extract(epoch FROM $1::timestamptz - now())::float8 * 1000 + $2::float8 AS ms`
  const { rows } = await database.pool.query<{ ms: number }>(left, [ambiguousAt, timeoutMs])
  const waitMs = Math.ceil(rows[0]?.ms ?? timeoutMs)
  if (waitMs <= 0) return null
  const message = 'a placing whose answer was lost may still arrive'
  return { kind: 'retry', message, retryAfterMs: waitMs, ambiguous: false }
}

/** Another process would look up and place while this call is under way, so the claim has to outlive it. */
async function isStillMine({ database, timeoutMs = 0 }: PlaceOptions, task: VendorTask): Promise<boolean> {
  const mine = await database.pool.query(
    `SELECT 1 FROM vendor_tasks WHERE subject = $1 AND fence = $2 AND action = 'place' AND due_at > now() + $3 * interval '1 ms'`,
    [task.subject, task.fence, timeoutMs],
  )
  return mine.rowCount === 1
}

async function readOrder({ database, sealer }: PlaceOptions, id: string): Promise<OrderToPlace | 'not_wanted'> {
  const found = await database.pool.query<Pick<LockedOrder, 'state' | 'payload_sealed' | 'data_key'>>(
    `SELECT o.state, o.payload_sealed, o.data_key FROM orders o JOIN vendor_tasks t ON t.subject = $2 AND t.action = 'place' WHERE o.background_check_id = $1`,
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

async function settle(options: PlaceOptions, sql: Sql, task: VendorTask, answer: VendorAnswer<Placed>): Promise<void> {
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
  } else if (answer.kind === 'ok') await settlePlaced(sql, task, wanted, answer.value)
  else if (!wanted) await settleCanceledMeanwhile(sql, task, answer)
  else await settleFailure(options, sql, task, answer)
}

/** Two placings that settle at once are told the same number one after the other. */
async function belongsToAnother(sql: Sql, id: string, vendorOrderId: string): Promise<boolean> {
  await lockVendorOrder(sql, vendorOrderId)
  return isTakenByAnother(sql, id, vendorOrderId)
}

export async function lockVendorOrder(sql: Sql, vendorOrderId: string): Promise<void> {
  const text = 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))'
  await sql.query({ name: 'lock-vendor-order', text, values: [`vendor-order:${vendorOrderId}`] })
}

export async function isTakenByAnother(sql: Sql, id: string, vendorOrderId: string): Promise<boolean> {
  const text = 'SELECT 1 FROM orders WHERE vendor_order_id = $1 AND background_check_id <> $2'
  return (await sql.query({ name: 'taken-by-another', text, values: [vendorOrderId, id] })).rowCount !== 0
}

async function settlePlaced(
  sql: Sql,
  task: VendorTask,
  wanted: boolean,
  { orderId: vendorOrderId, others = [] }: Placed,
): Promise<void> {
  await sql.query({
    name: 'settle-placed',
    text: `UPDATE orders SET vendor_order_id = $2, state = CASE WHEN state = 'received' THEN 'ordered' ELSE state END,
       attention = array_remove(attention, 'stale'), updated_at = now()
     WHERE background_check_id = $1`,
    values: [task.id, vendorOrderId],
  })
  await addToTimeline(sql, [{ backgroundCheckId: task.id, kind: 'placed', detail: { vendor_order_id: vendorOrderId } }])
  if (others.length > 0) await tellOfSeveral(sql, task.id, vendorOrderId, others)
  if (!wanted) return turnTask(sql, task, 'cancel')
  await finishTask(sql, task)
  await beginPolls(sql, task, vendorOrderId)
}

/** A nudge that came before the number was known asks for what comes now anyway. */
async function beginPolls(sql: Sql, task: VendorTask, vendorOrderId: string): Promise<void> {
  await sql.query({
    name: 'begin-polls',
    text: `WITH answered AS (DELETE FROM vendor_nudges WHERE vendor_order_id = $3)
      INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING`,
    values: [task.id, task.tenantKey, vendorOrderId],
  })
}

/** The vendor works on a check more than once: which of its orders has to stop, a person decides. */
async function tellOfSeveral(sql: Sql, id: string, vendorOrderId: string, others: readonly string[]): Promise<void> {
  await flagOrder(sql, id, 'several_vendor_orders')
  const detail = { vendor_order_id: vendorOrderId, orders: others.length + 1, others: others.slice(0, 10).join(', ') }
  await addToTimeline(sql, [{ backgroundCheckId: id, kind: 'several_vendor_orders', detail }])
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
