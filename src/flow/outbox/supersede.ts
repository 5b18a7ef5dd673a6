import type { Sql } from '../../platform/database/database.js'
import { addToTimeline } from '../timeline.js'

/**
 * Ends everything that waits in a lane; what is being sent settles by its own answer. What Feishu refused because the
 * order was over, before its event said so, was no longer needed either. The caller holds the lane.
 */
export async function supersedeWaiting(sql: Sql, lane: string): Promise<void> {
  const ended = await sql.query<{ id: string; background_check_id: string | null }>(
    `UPDATE deliveries SET state = 'superseded', due_at = NULL, dead_class = NULL, settled_at = now()
     WHERE lane = $1 AND (state = 'pending' OR (state = 'dead' AND last_error ->> 'code' = '1002858')) RETURNING id, background_check_id`,
    [lane],
  )
  await addToTimeline(
    sql,
    ended.rows.flatMap(({ id, background_check_id }) =>
      background_check_id === null
        ? []
        : [{ backgroundCheckId: background_check_id, kind: 'superseded' as const, detail: { delivery_id: id } }],
    ),
  )
}
