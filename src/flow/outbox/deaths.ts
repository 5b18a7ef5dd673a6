import type { Sql } from '../../platform/database/database.js'

/**
 * The deliveries of an order that died, for the first time, before this one did, whatever became of them since. Only the
 * head of a lane is tried, so of two that Feishu never saw, the one that died first had stood before the other; neither
 * `seq` nor `stage_time` nor later deaths say so any more once one of them was sent again.
 */
export async function readDeathsBefore(sql: Sql, backgroundCheckId: string, deliveryId: string): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `WITH deaths AS (
       SELECT detail ->> 'delivery_id' AS id, min(id) AS first FROM timeline
       WHERE background_check_id = $1 AND kind = 'dead' GROUP BY 1)
     SELECT id FROM deaths WHERE first < (SELECT first FROM deaths WHERE id = $2)`,
    [backgroundCheckId, deliveryId],
  )
  return rows.map((row) => row.id)
}
