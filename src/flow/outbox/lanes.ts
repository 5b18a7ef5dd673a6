import type { Sql } from '../../platform/database/database.js'
import { stateOf } from './state-of.js'
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
  // Whoever else makes it meanwhile holds it, too: this one waits, and finds it then.
  const row = (await lock(sql, lane)) ?? (await make(sql, lane)) ?? (await lock(sql, lane))
  return { lastSeq: row?.last_seq ?? 0, closedBy: row?.closed_by ?? null, unsure: row?.unsure ?? false }
}

interface LaneRow {
  last_seq: number
  closed_by: string | null
  unsure: boolean
}

async function lock(sql: Sql, lane: string): Promise<LaneRow | undefined> {
  const locked = await sql.query<LaneRow>({
    name: 'lock-lane',
    text: 'SELECT last_seq, closed_by, unsure FROM lanes WHERE lane = $1 FOR UPDATE',
    values: [lane],
  })
  return locked.rows[0]
}

/**
 * Nothing when it is there already. An order that comes soon after a restore may be one that was known, and sent for,
 * before.
 */
async function make(sql: Sql, lane: string): Promise<LaneRow | undefined> {
  const made = await sql.query<LaneRow>({
    name: 'make-lane',
    text: `INSERT INTO lanes (lane, unsure)
     SELECT $1, EXISTS (SELECT 1 FROM restores WHERE restored_at > now() - ${unsureFor}) ON CONFLICT DO NOTHING
     RETURNING last_seq, closed_by, unsure`,
    values: [lane],
  })
  return made.rows[0]
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
  const changed = await sql.query<{ bucket_id: number; due_at: Date | null }>(
    lanes.length === 1
      ? { name: 'ready-head', text: readySql('= $1'), values: [lanes[0]] }
      : { name: 'ready-heads', text: readySql('= ANY($1)'), values: [lanes] },
  )
  return [...new Set(changed.rows.filter((row) => row.due_at !== null).map((row) => row.bucket_id))]
}

/** One lane is compared with `=`: for an array PostgreSQL assumes ten of them, in a plan that it keeps. */
function readySql(which: string): string {
  return `
    UPDATE deliveries d SET due_at = CASE WHEN d.seq = head.seq THEN now() END
    FROM (
      SELECT lane, min(seq) AS seq FROM deliveries
      WHERE lane ${which} AND ${stateOf('deliveries')} IN ('pending', 'sending') GROUP BY lane
    ) head
    WHERE d.lane = head.lane AND ${stateOf('d')} = 'pending' AND (d.due_at IS NULL) = (d.seq = head.seq)
    RETURNING d.bucket_id, d.due_at`
}
