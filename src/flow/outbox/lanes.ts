import type { Sql } from '../../platform/database/database.js'

/**
 * The room `outbox`: deliveries that wait for Feishu, in lanes.
 *
 * A lane is what must stay in order: an order, an account, an agreement. Only the head of a lane has a `due_at`, so
 * only it can be claimed; settling it gives the next one its `due_at` in the same transaction. Whoever adds to a lane
 * or settles in it holds the lane's row.
 */
export interface LaneState {
  lastSeq: number
  /** `cancel`: an operator stopped the order; whatever the vendor says after that is not sent any more. */
  closedBy: string | null
}

export async function lockLane(sql: Sql, lane: string): Promise<LaneState> {
  await sql.query('INSERT INTO lanes (lane) VALUES ($1) ON CONFLICT DO NOTHING', [lane])
  const locked = await sql.query<{ last_seq: number; closed_by: string | null }>(
    'SELECT last_seq, closed_by FROM lanes WHERE lane = $1 FOR UPDATE',
    [lane],
  )
  return { lastSeq: locked.rows[0]?.last_seq ?? 0, closedBy: locked.rows[0]?.closed_by ?? null }
}

/** An operator stopped the order of this lane. The caller holds it. */
export async function closeLane(sql: Sql, lane: string): Promise<void> {
  await sql.query(`UPDATE lanes SET closed_by = 'cancel' WHERE lane = $1`, [lane])
}

/** Locks lanes that exist, in one order for everybody, since two settlements may share lanes. */
export async function lockLanes(sql: Sql, lanes: readonly string[]): Promise<void> {
  await sql.query('SELECT 1 FROM lanes WHERE lane = ANY($1) ORDER BY lane FOR UPDATE', [lanes])
}

/**
 * Gives the head of each lane its turn and takes it from all others. A delivery that is being sent is a head, too.
 * Answers the buckets that got something to do.
 */
export async function readyHeads(sql: Sql, lanes: readonly string[]): Promise<number[]> {
  const changed = await sql.query<{ bucket_id: number; due_at: Date | null }>(
    `WITH heads AS (
       SELECT DISTINCT ON (lane) id FROM deliveries
       WHERE lane = ANY($1) AND state IN ('pending', 'sending') ORDER BY lane, seq
     )
     UPDATE deliveries d SET due_at = CASE WHEN heads.id IS NULL THEN NULL ELSE now() END
     FROM deliveries w LEFT JOIN heads ON heads.id = w.id
     WHERE d.id = w.id AND d.state = 'pending' AND w.lane = ANY($1) AND w.state = 'pending' AND (w.due_at IS NULL) = (heads.id IS NOT NULL)
     RETURNING d.bucket_id, d.due_at`,
    [lanes],
  )
  return [...new Set(changed.rows.filter((row) => row.due_at !== null).map((row) => row.bucket_id))]
}
