import type { Sql } from '../../platform/database/database.js'
import type { Origin } from '../map.js'
import { taskOfOrder } from '../orders/receive.js'

/** The rows that hold personal data of one check: how they are locked, and how they are emptied. */
export interface OrderToErase {
  background_check_id: string
  state: string
  erased_at: Date | null
  updated_at: Date
}

export async function isKnown(sql: Sql, backgroundCheckId: string): Promise<boolean> {
  const text = 'SELECT 1 FROM orders WHERE background_check_id = $1'
  return (await sql.query(text, [backgroundCheckId])).rowCount === 1
}

/** Who sent the events of a check whose payloads were kept, the earliest first. */
export async function lockKeptEvents(sql: Sql, backgroundCheckId: string): Promise<Origin[]> {
  const found = await sql.query<{ app_id: string; tenant_key: string }>(
    `SELECT app_id, tenant_key FROM events WHERE background_check_id = $1 AND payload_sealed IS NOT NULL
     ORDER BY id FOR UPDATE`,
    [backgroundCheckId],
  )
  return found.rows.map((row) => ({ appId: row.app_id, tenantKey: row.tenant_key }))
}

/** An event of the check failed, so that no order came of it: the tombstone says that nothing shall. False: there is none. */
export async function leaveTombstone(
  sql: Sql,
  backgroundCheckId: string,
  [origin]: readonly Origin[],
): Promise<boolean> {
  if (origin === undefined) return false
  await sql.query(
    `INSERT INTO orders (background_check_id, app_id, tenant_key, state) VALUES ($1, $2, $3, 'canceled')
     ON CONFLICT DO NOTHING`,
    [backgroundCheckId, origin.appId, origin.tenantKey],
  )
  return true
}

export async function lockToErase(sql: Sql, backgroundCheckId: string): Promise<OrderToErase | null> {
  const found = await sql.query<OrderToErase>(
    'SELECT background_check_id, state, erased_at, updated_at FROM orders WHERE background_check_id = $1 FOR UPDATE',
    [backgroundCheckId],
  )
  return found.rows[0] ?? null
}

/**
 * Empties every row of the check, and takes it out of what is polled, placed and sent again. The caller holds lane and
 * order. Safe to repeat.
 */
export async function destroy(sql: Sql, backgroundCheckId: string, state: string): Promise<void> {
  await endWork(sql, backgroundCheckId)
  // Messages of an adapter in `failure` are foreign text; flags ask for what nobody can do any more.
  await sql.query(
    `UPDATE orders SET state = $2, data_key = NULL, payload_sealed = NULL, failure = NULL, attention = '{}',
       updated_at = CASE WHEN erased_at IS NULL THEN now() ELSE updated_at END, erased_at = coalesce(erased_at, now())
     WHERE background_check_id = $1`,
    [backgroundCheckId, state],
  )
  await sql.query(
    'UPDATE deliveries SET body_sealed = NULL WHERE background_check_id = $1 AND body_sealed IS NOT NULL',
    [backgroundCheckId],
  )
  await sql.query('DELETE FROM order_contacts WHERE background_check_id = $1', [backgroundCheckId])
  // One that is new again, since somebody had it processed again, clears itself: its order is erased (inbox/worker.ts).
  await sql.query(
    `UPDATE events SET payload_sealed = NULL WHERE background_check_id = $1 AND state <> 'new' AND payload_sealed IS NOT NULL`,
    [backgroundCheckId],
  )
  await sql.query(
    `UPDATE findings SET state = CASE state WHEN 'open' THEN 'gone' ELSE state END, settled_at = now()
     WHERE background_check_id = $1 AND settled_at IS NULL`,
    [backgroundCheckId],
  )
}

/**
 * A placing or a resend that is under way finds its task gone when it settles, and does nothing. A cancel that is owed to
 * the vendor stays, without the words of whoever stopped the check: the vendor shall stop, too.
 */
async function endWork(sql: Sql, backgroundCheckId: string): Promise<void> {
  await sql.query('DELETE FROM poll_schedule WHERE background_check_id = $1', [backgroundCheckId])
  const task = taskOfOrder(backgroundCheckId)
  await sql.query(
    `DELETE FROM vendor_tasks WHERE (subject = $1 AND action <> 'cancel') OR subject = $2 OR starts_with(subject, $2 || '/')`,
    [task, `resend:${backgroundCheckId}`],
  )
  await sql.query('UPDATE vendor_tasks SET reason_sealed = NULL, last_error = NULL WHERE subject = $1', [task])
}
