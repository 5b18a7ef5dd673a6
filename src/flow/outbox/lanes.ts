import type { Sql } from '../../platform/database/database.js'
import { unsureFor } from './unsure.js'

/**
 * The room `outbox`: deliveries that wait for Feishu, in lanes.
 *
 * A lane is what must stay in order: an order, an account, an agreement. Only the head of a lane has a `due_at`, so
 * only it can be claimed; settling it gives the next one its `due_at` in the same transaction. Whoever adds to a lane
 * or settles in it holds the lane's row.
 */
export interface LaneState {
  lastSeq: number
  /** `cancel`: an operator stopped the order; `erasure`: it was erased. What the vendor says after that is not sent any more. */
  closedBy: string | null
  /** What is put into it may have been sent before the database was restored. */
  unsure: boolean
}

export async function lockLane(sql: Sql, lane: string): Promise<LaneState> {
  await make(sql, lane)
  const locked = await sql.query<{ last_seq: number; closed_by: string | null; unsure: boolean }>({
    name: 'lock-lane',
    text: 'SELECT last_seq, closed_by, unsure FROM lanes WHERE lane = $1 FOR UPDATE',
    values: [lane],
  })
  const row = locked.rows[0]
  return { lastSeq: row?.last_seq ?? 0, closedBy: row?.closed_by ?? null, unsure: row?.unsure ?? false }
}

/** An order that comes soon after a restore may be one that was known, and sent for, before. */
async function make(sql: Sql, lane: string): Promise<void> {
  await sql.query({
    name: 'make-lane',
    text: `INSERT INTO lanes (lane, unsure)
     SELECT $1, EXISTS (SELECT 1 FROM restores WHERE restored_at > now() - ${unsureFor}) ON CONFLICT DO NOTHING`,
    values: [lane],
  })
}

/** As `lockLane`, but it never waits: false when somebody else holds the lane. */
export async function lockLaneIfFree(sql: Sql, lane: string): Promise<boolean> {
  await make(sql, lane)
  const locked = await sql.query('SELECT 1 FROM lanes WHERE lane = $1 FOR UPDATE SKIP LOCKED', [lane])
  return locked.rowCount === 1
}

/** An operator stopped the order of this lane, or it was erased before it ended. The caller holds it. */
export async function closeLane(sql: Sql, lane: string, by: 'cancel' | 'erasure' = 'cancel'): Promise<void> {
  await sql.query('UPDATE lanes SET closed_by = $2 WHERE lane = $1', [lane, by])
}

/** Locks lanes that exist, in one order for everybody, since two settlements may share lanes. Answers those that are unsure. */
export async function lockLanes(sql: Sql, lanes: readonly string[]): Promise<string[]> {
  const locked = await sql.query<{ lane: string; unsure: boolean }>({
    name: 'lock-lanes',
    text: 'SELECT lane, unsure FROM lanes WHERE lane = ANY($1) ORDER BY lane FOR UPDATE',
    values: [lanes],
  })
  return locked.rows.filter((row) => row.unsure).map((row) => row.lane)
}

/**
 * Gives the head of each lane its turn and takes it from all others. A delivery that is being sent is a head, too.
 * Answers the buckets that got something to do.
 */
export async function readyHeads(sql: Sql, lanes: readonly string[]): Promise<number[]> {
  const changed = await sql.query<{ bucket_id: number; due_at: Date | null }>({
    name: 'ready-heads',
    text: `UPDATE deliveries d SET due_at = CASE WHEN w.is_head THEN now() END
     FROM (
       SELECT id, state, due_at, row_number() OVER (PARTITION BY lane ORDER BY seq) = 1 AS is_head FROM deliveries
       WHERE lane = ANY($1) AND state IN ('pending', 'sending')
     ) w
     WHERE d.id = w.id AND d.state = 'pending' AND w.state = 'pending' AND (w.due_at IS NULL) = w.is_head
     RETURNING d.bucket_id, d.due_at`,
    values: [lanes],
  })
  return [...new Set(changed.rows.filter((row) => row.due_at !== null).map((row) => row.bucket_id))]
}
