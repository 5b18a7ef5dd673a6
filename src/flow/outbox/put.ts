import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { laneOfOrder, type OrderBody } from '../map.js'
import { openBody, sealBody } from './bodies.js'
import { bucketOf } from './buckets.js'
import { type LaneState, readyHeads } from './lanes.js'
import { unsureBegin } from './unsure.js'

/** An order whose lane the caller holds, with the key that its bodies are sealed with. */
export interface OrderLane {
  backgroundCheckId: string
  appId: string
  tenantKey: string
  key: Sealer
  state: LaneState
}

export interface LaneDelivery {
  id: string
  content: OrderBody
  state: 'pending' | 'sending' | 'delivered' | 'superseded' | 'dead'
  /** Hire may have seen it. */
  attempted: boolean
  /** An older system sent it: Feishu has it although no call of this service took it there. */
  imported: boolean
  /** Dead, and nobody knows whether it took effect. */
  unclear: boolean
  /** Its claim is over, and nobody has settled or claimed it since. */
  abandoned: boolean
  seenAt: number
}

/**
 * Whether Hire may have seen a delivery; $2 is its order. A call that Feishu refused before Hire (a limit, a hold, a token) sets
 * `last_call_at` and is no attempt; an attempt that did not leave us is no call. Where a delivery had both, one call is taken
 * to have arrived. Reviving counts attempts anew, so that the timeline tells of those before. An abandoned claim is
 * `ambiguous` as soon as it is claimed again, and `sending` until then.
 */
const attemptedSql = `
  d.state NOT IN ('pending', 'superseded') OR d.ambiguous OR d.last_call_at IS NOT NULL AND (d.attempts > 0 OR EXISTS (
    SELECT 1 FROM timeline t WHERE t.background_check_id = $2 AND t.kind = 'revived'
      AND t.detail ->> 'delivery_id' = d.id::text))`

/**
 * Every delivery of an order, in the order of its lane. The rows are locked: a pump passes over what is about to be
 * rewritten, and what a pump has claimed already reads as attempted.
 */
export async function readLane(sql: Sql, lane: OrderLane): Promise<LaneDelivery[]> {
  const name = laneOfOrder(lane.backgroundCheckId)
  const found = await sql.query<{
    id: string
    api: string
    state: LaneDelivery['state']
    attempted: boolean
    imported: boolean
    unclear: boolean
    abandoned: boolean
    seen_at: Date
    body_sealed: Buffer
  }>({
    name: 'read-lane',
    text: `SELECT id, api, state, seen_at, body_sealed,
       ${attemptedSql} AS attempted,
       state = 'delivered' AND last_call_at IS NULL AS imported,
       state = 'dead' AND (ambiguous OR dead_class = 'unconfirmed') AS unclear,
       state = 'sending' AND due_at <= now() AS abandoned
     FROM deliveries d WHERE lane = $1 AND body_sealed IS NOT NULL ORDER BY seq FOR UPDATE`,
    values: [name, lane.backgroundCheckId],
  })
  return found.rows.map((row) => ({
    id: row.id,
    content: openBody(lane.key, name, row.api, row.body_sealed),
    state: row.state,
    attempted: row.attempted,
    imported: row.imported,
    unclear: row.unclear,
    abandoned: row.abandoned,
    seenAt: row.seen_at.getTime(),
  }))
}

/**
 * Lays what waits in a lane anew: rows with an id are rewritten, others are new, all in the given order and behind
 * whatever had an attempt. Answers the buckets that got something to do.
 */
export async function putWaiting(
  sql: Sql,
  lane: OrderLane,
  waiting: ReadonlyArray<{ id?: string; content: OrderBody }>,
  seenAt: number,
): Promise<number[]> {
  const name = laneOfOrder(lane.backgroundCheckId)
  const rows = waiting.map(({ id, content }, index) => ({
    id,
    seq: lane.state.lastSeq + 1 + index,
    api: content.api,
    stage: content.api === 'update_progress' ? content.body : null,
    body: sealBody(lane.key, name, content),
  }))
  await rewrite(
    sql,
    rows.filter((row) => row.id !== undefined),
  )
  await insert(
    sql,
    lane,
    rows.filter((row) => row.id === undefined),
    seenAt,
  )
  if (waiting.length > 0) await moveLastSeq(sql, name, lane.state.lastSeq + waiting.length)
  return readyHeads(sql, [name])
}

async function moveLastSeq(sql: Sql, lane: string, lastSeq: number): Promise<void> {
  const text = 'UPDATE lanes SET last_seq = $2 WHERE lane = $1'
  await sql.query({ name: 'move-last-seq', text, values: [lane, lastSeq] })
}

interface WaitingRow {
  id: string | undefined
  seq: number
  api: string
  stage: { stage_id: string; stage_time: string } | null
  body: Buffer
}

async function rewrite(sql: Sql, rows: readonly WaitingRow[]): Promise<void> {
  if (rows.length === 0) return
  await sql.query(
    `UPDATE deliveries d SET seq = w.seq, stage_time = w.stage_time, body_sealed = w.body
     FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::bytea[]) AS w (id, seq, stage_time, body) WHERE d.id = w.id`,
    [
      rows.map((row) => row.id),
      rows.map((row) => row.seq),
      rows.map((row) => row.stage?.stage_time ?? null),
      rows.map((row) => row.body),
    ],
  )
}

async function insert(sql: Sql, lane: OrderLane, rows: readonly WaitingRow[], seenAt: number): Promise<void> {
  if (rows.length === 0) return
  const { appId, tenantKey, backgroundCheckId } = lane
  const buckets = new Map<string, number>()
  for (const api of new Set(rows.map((row) => row.api))) {
    buckets.set(api, (await bucketOf(sql, appId, tenantKey, api)).id)
  }
  await sql.query({
    name: 'put-deliveries',
    text: `INSERT INTO deliveries (lane, app_id, tenant_key, background_check_id, seen_at, ambiguous, last_error,
       seq, bucket_id, api, stage_id, stage_time, body_sealed)
     SELECT $1, $2, $3, $4, $5, $12::jsonb IS NOT NULL, $12::jsonb, w.*
     FROM unnest($6::int[], $7::int[], $8::text[], $9::text[], $10::bigint[], $11::bytea[])
       AS w (seq, bucket_id, api, stage_id, stage_time, body) ORDER BY w.seq`,
    values: [
      laneOfOrder(backgroundCheckId),
      appId,
      tenantKey,
      backgroundCheckId,
      new Date(seenAt),
      rows.map((row) => row.seq),
      rows.map((row) => buckets.get(row.api)),
      rows.map((row) => row.api),
      rows.map((row) => row.stage?.stage_id ?? null),
      rows.map((row) => row.stage?.stage_time ?? null),
      rows.map((row) => row.body),
      lane.state.unsure ? JSON.stringify(unsureBegin) : null,
    ],
  })
}

/** Deliveries that wait for nothing any more; Feishu never saw their stage ids. The caller holds the lane. */
export async function withdraw(sql: Sql, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await sql.query(
    `UPDATE deliveries SET state = 'superseded', due_at = NULL, stage_id = NULL, settled_at = now()
     WHERE id = ANY($1) AND state = 'pending'`,
    [ids],
  )
}

/**
 * Rewrites the bodies of deliveries that had an attempt and may have another: same content, newer report links. Not while a
 * claim holds, whose call takes what it has read.
 */
export async function relink(
  sql: Sql,
  lane: OrderLane,
  links: ReadonlyArray<{ id: string; content: OrderBody }>,
): Promise<void> {
  const name = laneOfOrder(lane.backgroundCheckId)
  for (const { id, content } of links) {
    await sql.query(
      `UPDATE deliveries SET body_sealed = $2
       WHERE id = $1 AND (state IN ('pending', 'dead') OR state = 'sending' AND due_at <= now())`,
      [id, sealBody(lane.key, name, content)],
    )
  }
}
