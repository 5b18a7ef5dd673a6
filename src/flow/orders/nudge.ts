import type { Sql } from '../../platform/database/database.js'
import { pollOnceMore } from './poll-over.js'

/** Makes an order's poll due now; while one is running, right after it. False: the order is not polled (any more). */
export async function pollNow(sql: Sql, backgroundCheckId: string): Promise<boolean> {
  const nudged = await sql.query(
    `UPDATE poll_schedule SET nudged = claimed, due_at = CASE WHEN claimed THEN due_at ELSE now() END WHERE background_check_id = $1`,
    [backgroundCheckId],
  )
  return nudged.rowCount === 1
}

/**
 * Makes an order's poll due now, and its answer read whatever it says; one that is running has read too early and counts
 * no more. False: the order is not polled (any more).
 */
export async function pollAfresh(sql: Sql, backgroundCheckId: string): Promise<boolean> {
  const due = await sql.query(
    `UPDATE poll_schedule SET fence = fence + 1, claimed = false, due_at = now(), fingerprint = NULL WHERE background_check_id = $1`,
    [backgroundCheckId],
  )
  return due.rowCount === 1
}

/**
 * The vendor says that an order changed: it is polled now, also when Feishu has its result. An order that is not known yet
 * is remembered for an hour.
 */
export async function vendorOrderChanged(sql: Sql, vendorOrderId: string): Promise<boolean> {
  const known = await sql.query<{ background_check_id: string }>(
    'SELECT background_check_id FROM orders WHERE vendor_order_id = $1',
    [vendorOrderId],
  )
  let polled = false
  for (const { background_check_id: id } of known.rows) {
    polled = (await pollNow(sql, id)) || (await pollOnceMore(sql, id)) || polled
  }
  if (known.rowCount === 0) await remember(sql, vendorOrderId)
  return polled
}

async function remember(sql: Sql, vendorOrderId: string): Promise<void> {
  await sql.query(`DELETE FROM vendor_nudges WHERE at < now() - interval '1 hour'`)
  await sql.query(
    'INSERT INTO vendor_nudges (vendor_order_id) VALUES ($1) ON CONFLICT (vendor_order_id) DO UPDATE SET at = now()',
    [vendorOrderId],
  )
}
