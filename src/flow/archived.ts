import type { Sql } from '../platform/database/database.js'
import { laneOfOrder } from './map.js'

/**
 * Which checks are in the archive, or were (src/flow/archive). Their orders are not in `orders` any more, and whoever would
 * make one for a check that comes late asks here: what was erased stays erased. One look at a primary key.
 *
 * Ids of checks are Feishu's and the same for all apps, as in `orders`.
 */
export const archivedHash = (id: string): string => `substring(sha256(convert_to(${id}, 'UTF8')) FOR 16)`

export async function isArchived(sql: Sql, backgroundCheckId: string): Promise<boolean> {
  const text = `SELECT 1 FROM archived_checks WHERE hash = ${archivedHash('$1')}`
  return (await sql.query(text, [backgroundCheckId])).rowCount === 1
}

/** Those of the ids that are archived. */
export async function archivedAmong(sql: Sql, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const found = await sql.query<{ id: string }>(
    `SELECT w.id FROM unnest($1::text[]) AS w (id) JOIN archived_checks a ON a.hash = ${archivedHash('w.id')}`,
    [ids],
  )
  return new Set(found.rows.map((row) => row.id))
}

/** Whoever waited for the lane of an order that was archived meanwhile has made it anew, and takes it away again. */
export async function forgetLane(sql: Sql, backgroundCheckId: string): Promise<void> {
  await sql.query('DELETE FROM lanes WHERE lane = $1', [laneOfOrder(backgroundCheckId)])
}
