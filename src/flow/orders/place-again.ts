import type { Sql } from '../../platform/database/database.js'
import { laneOfOrder } from '../map.js'
import { addToTimeline } from '../timeline.js'
import { lockOrder, taskOfOrder } from './receive.js'

export type PlacedAgain = 'done' | 'unknown' | 'erased' | 'not_failed' | 'being_stopped'

/**
 * Leads an order out of `failed`: a new task places it. An order fails only after an attempt, and one of its attempts
 * may have reached the vendor all the same, so the vendor is asked first whether it has the order.
 */
export async function placeAgain(sql: Sql, backgroundCheckId: string): Promise<PlacedAgain> {
  const order = await lockOrder(sql, backgroundCheckId)
  if (order === null) return 'unknown'
  if (order.data_key === null) return 'erased'
  if (order.state !== 'failed') return 'not_failed'
  if (order.payload_sealed === null) return 'erased'
  if (await isStopped(sql, backgroundCheckId)) return 'being_stopped'
  await sql.query(
    `UPDATE orders SET state = 'received', failure = NULL, attention = array_remove(attention, 'failed'), updated_at = now() WHERE background_check_id = $1`,
    [backgroundCheckId],
  )
  // A claim of the task before this one may still be under way: the fences of the two must not meet.
  await sql.query(
    `INSERT INTO vendor_tasks (subject, action, tenant_key, ambiguous_at, fence)
     VALUES ($1, 'place', $2, now(), floor(random() * 1e9)::int)`,
    [taskOfOrder(backgroundCheckId), order.tenant_key],
  )
  await addToTimeline(sql, [{ backgroundCheckId, kind: 'place_again' }])
  return 'done'
}

/** Whoever stops an order holds its row, as the caller does. */
async function isStopped(sql: Sql, backgroundCheckId: string): Promise<boolean> {
  const text = 'SELECT 1 FROM lanes WHERE lane = $1 AND closed_by IS NOT NULL'
  return (await sql.query(text, [laneOfOrder(backgroundCheckId)])).rowCount === 1
}
