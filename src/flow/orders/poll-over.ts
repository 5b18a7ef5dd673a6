import type { Sql } from '../../platform/database/database.js'
import type { ClaimedOrder } from './poll-claim.js'
import { nextInterval, type PollTerms } from './schedule.js'

/**
 * Orders of which Feishu took the result: nothing more is sent of them by itself, so they are not polled any more. One that
 * the vendor says has changed is polled once more, since what Feishu has may be wrong by now, and a person has to know.
 */

/** Of `orders o`. A result that Feishu holds for approval leaves its order `reported`; so is one whose result still waits. */
const isOverSql = `(o.state = 'completed' OR (o.state = 'reported' AND EXISTS (
  SELECT 1 FROM deliveries d WHERE d.background_check_id = o.background_check_id AND d.api = 'update_result'
    AND d.state = 'delivered')))`

/**
 * Has an order that is over, and was not erased, polled now. False: it is none, or is to be polled already. Whoever erases
 * the order meanwhile is waited for.
 */
export async function pollOnceMore(sql: Sql, backgroundCheckId: string): Promise<boolean> {
  // A claim of the row before this one may still be under way: the fences of the two must not meet.
  const added = await sql.query(
    `INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms, fence)
     SELECT over.background_check_id, over.tenant_key, 0, floor(random() * 1e9)::int FROM (
       SELECT o.background_check_id, o.tenant_key FROM orders o
       WHERE o.background_check_id = $1 AND o.data_key IS NOT NULL AND o.erased_at IS NULL AND ${isOverSql}
       FOR SHARE OF o) over
     ON CONFLICT DO NOTHING`,
    [backgroundCheckId],
  )
  return added.rowCount === 1
}

/** Locks an order. True when it is over: there is nobody to tell that the vendor does not speak of it any more. */
export async function lockIfOver(sql: Sql, backgroundCheckId: string): Promise<boolean> {
  const found = await sql.query<{ over: boolean }>(
    `SELECT ${isOverSql} AS over FROM orders o WHERE o.background_check_id = $1 FOR UPDATE`,
    [backgroundCheckId],
  )
  return found.rows[0]?.over ?? false
}

/**
 * Ends the polls of an order, under the fence of one that has just been answered. True: somebody asked for a poll while
 * that one ran, and the order is polled again before they end.
 */
export async function endPolls(sql: Sql, backgroundCheckId: string): Promise<boolean> {
  const again = await sql.query(
    `UPDATE poll_schedule SET fence = fence + 1, claimed = false, nudged = false, due_at = now(), interval_ms = 0, fingerprint = NULL
     WHERE background_check_id = $1 AND nudged`,
    [backgroundCheckId],
  )
  if (again.rowCount === 1) return true
  await sql.query('DELETE FROM poll_schedule WHERE background_check_id = $1', [backgroundCheckId])
  return false
}

/**
 * The vendor did not answer for these orders. Those that are over wait longer each time, and are not polled any more when
 * they waited for the longest interval: a single order that it cannot tell about would be asked for until it is erased.
 * Answers how long each of those waits, in ms.
 */
export async function tireOfOver(
  sql: Sql,
  group: readonly ClaimedOrder[],
  terms: PollTerms,
): Promise<Map<string, number>> {
  const found = await sql.query<{ id: string }>(
    `SELECT o.background_check_id AS id FROM orders o WHERE o.background_check_id = ANY($1) AND ${isOverSql}`,
    [group.map((order) => order.id)],
  )
  const over = new Set(found.rows.map((row) => row.id))
  const waits = new Map<string, number>()
  for (const { id, fence, intervalMs } of group.filter((order) => over.has(order.id))) {
    const waitMs = nextInterval(intervalMs, false, terms)
    waits.set(id, waitMs)
    const mine = 'background_check_id = $1 AND fence = $2'
    if (intervalMs < terms.maxMs) {
      await sql.query(`UPDATE poll_schedule SET interval_ms = $3 WHERE ${mine}`, [id, fence, waitMs])
    } else {
      await sql.query(`DELETE FROM poll_schedule WHERE ${mine} AND NOT nudged`, [id, fence])
    }
  }
  return waits
}
