import { createDataKey, openDataKey } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { archivedHash } from '../archived.js'
import { laneOfOrder, type Origin } from '../map.js'
import { lockLane } from '../outbox/lanes.js'
import { stateOf } from '../outbox/state-of.js'
import { supersedeWaiting } from '../outbox/supersede.js'
import { addToTimeline } from '../timeline.js'
import { belongsTo, type Effect, type LockedOrder, lockOrder, refusedAsForeign, taskOfOrder } from './receive.js'

export const reasonContext = (backgroundCheckId: string): string => `cancel:${backgroundCheckId}`

/**
 * The customer stopped a check in Feishu. What waits for Feishu is superseded, nothing is called back, and the vendor
 * is told, after a placing that is under way. A check that was never seen leaves a tombstone; about one that is in the
 * archive nothing is done.
 *
 * Locks go lane, order, task, here and everywhere.
 */
export async function cancelByCustomer(
  sql: Sql,
  sealer: Sealer,
  origin: Origin,
  backgroundCheckId: string,
  reason: string,
): Promise<Effect> {
  const { closedBy } = await lockLane(sql, laneOfOrder(backgroundCheckId))
  const key = createDataKey(sealer, backgroundCheckId)
  const tombstone = await sql.query(
    `INSERT INTO orders (background_check_id, app_id, tenant_key, state, data_key)
     SELECT $1, $2, $3, 'canceled', $4 WHERE NOT EXISTS (SELECT 1 FROM archived_checks WHERE hash = ${archivedHash('$1')})
     ON CONFLICT DO NOTHING`,
    [backgroundCheckId, origin.appId, origin.tenantKey, key.wrapped],
  )
  if (tombstone.rowCount === 1) {
    await addToTimeline(sql, [{ backgroundCheckId, kind: 'canceled_before_created' }])
    return { kind: 'done' }
  }
  const order = await lockOrder(sql, backgroundCheckId)
  if (order === null) return forgetLane(sql, backgroundCheckId)
  if (!belongsTo(order, origin)) return refusedAsForeign
  if (order.state === 'canceled') return { kind: 'done' }
  const vendorEnded = await cancelKnown(sql, backgroundCheckId, order, closedBy !== null)
  // Who stopped the check before, an operator, had the vendor told.
  if (!vendorEnded && closedBy === null) await tellVendor(sql, sealer, backgroundCheckId, order, reason)
  return { kind: 'done' }
}

/** The check is in the archive. Whoever archives an order holds its lane, so that the look above saw it. */
async function forgetLane(sql: Sql, backgroundCheckId: string): Promise<Effect> {
  await sql.query('DELETE FROM lanes WHERE lane = $1', [laneOfOrder(backgroundCheckId)])
  return { kind: 'done' }
}

/** True when the vendor has nothing to stop: Feishu took its result, and the customer stopped the check while it was being approved. */
async function cancelKnown(sql: Sql, id: string, order: LockedOrder, duringCancel: boolean): Promise<boolean> {
  await supersedeWaiting(sql, [laneOfOrder(id)])
  await sql.query(
    `UPDATE orders SET state = 'canceled', failure = NULL, updated_at = now(),
       attention = array_remove(CASE WHEN EXISTS (SELECT 1 FROM deliveries d WHERE d.background_check_id = $1 AND ${stateOf('d')} = 'dead')
         THEN array_remove(attention, 'failed')
         ELSE array_remove(array_remove(attention, 'delivery_dead'), 'failed') END, 'stale')
     WHERE background_check_id = $1`,
    [id],
  )
  await sql.query('DELETE FROM poll_schedule WHERE background_check_id = $1', [id])
  const afterResult = order.state === 'completed' || (order.state === 'reported' && (await hasResult(sql, id)))
  // The event may as well be the echo of the operator's cancel, whose answer is still to come (contract §1.4).
  const detail = { after_result: afterResult, ...(duringCancel && { during_cancel: true }) }
  await addToTimeline(sql, [{ backgroundCheckId: id, kind: 'canceled_by_customer', detail }])
  return afterResult
}

async function hasResult(sql: Sql, id: string): Promise<boolean> {
  const text = `SELECT 1 FROM deliveries WHERE background_check_id = $1 AND api = 'update_result' AND state = 'delivered'`
  return (await sql.query(text, [id])).rowCount !== 0
}

/** Has the vendor told that a check was stopped: instead of a placing that never began, after one that did. */
export async function tellVendor(
  sql: Sql,
  sealer: Sealer,
  id: string,
  order: LockedOrder,
  reason: string,
): Promise<void> {
  const never = await sql.query(
    `DELETE FROM vendor_tasks
     WHERE subject = $1 AND action = 'place' AND attempts = 0 AND NOT claimed AND ambiguous_at IS NULL`,
    [taskOfOrder(id)],
  )
  if (never.rowCount === 1) return
  const sealed = order.data_key && openDataKey(sealer, id, order.data_key).seal(Buffer.from(reason), reasonContext(id))
  // A claimed placing goes on under its fence; when it settles it finds that a cancel is wanted.
  const turned = await sql.query(
    `UPDATE vendor_tasks SET action = 'cancel', reason_sealed = $2, due_at = CASE WHEN claimed THEN due_at ELSE now() END,
       crashes = CASE WHEN action = 'cancel' THEN crashes ELSE 0 END
     WHERE subject = $1`,
    [taskOfOrder(id), sealed],
  )
  // A placing that was given up may have reached the vendor all the same: the vendor is asked.
  if (turned.rowCount === 1 || (order.vendor_order_id === null && order.state !== 'failed')) return
  // A claim of an earlier task may still be under way: the fences of the two must not meet.
  await sql.query(
    `INSERT INTO vendor_tasks (subject, action, tenant_key, reason_sealed, fence)
     VALUES ($1, 'cancel', $2, $3, floor(random() * 1e9)::int)`,
    [taskOfOrder(id), order.tenant_key, sealed],
  )
}
