import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { laneOfOrder, type OrderBody } from '../map.js'
import { openBody, sealBody } from './bodies.js'
import { bucketOf } from './buckets.js'
import { type LaneState, readyHeads } from './lanes.js'

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
  attempted: boolean
  seenAt: number
}

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
    seen_at: Date
    body_sealed: Buffer
  }>(
    `SELECT id, api, state, seen_at, body_sealed,
       state NOT IN ('pending', 'superseded') OR last_call_at IS NOT NULL OR ambiguous AS attempted
     FROM deliveries WHERE lane = $1 AND body_sealed IS NOT NULL ORDER BY seq FOR UPDATE`,
    [name],
  )
  return found.rows.map((row) => ({
    id: row.id,
    content: openBody(lane.key, name, row.api, row.body_sealed),
    state: row.state,
    attempted: row.attempted,
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
  for (const [index, { id, content }] of waiting.entries()) {
    const seq = lane.state.lastSeq + 1 + index
    const stage = content.api === 'update_progress' ? content.body : undefined
    const values = [seq, stage?.stage_time ?? null, sealBody(lane.key, name, content)]
    if (id !== undefined) {
      await sql.query('UPDATE deliveries SET seq = $2, stage_time = $3, body_sealed = $4 WHERE id = $1', [
        id,
        ...values,
      ])
      continue
    }
    const { id: bucket } = await bucketOf(sql, lane.appId, lane.tenantKey, content.api)
    await sql.query(
      `INSERT INTO deliveries (seq, stage_time, body_sealed, lane, bucket_id, api, app_id, tenant_key, background_check_id, stage_id, seen_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [
        ...values,
        name,
        bucket,
        content.api,
        lane.appId,
        lane.tenantKey,
        lane.backgroundCheckId,
        stage?.stage_id ?? null,
        new Date(seenAt),
      ],
    )
  }
  await sql.query('UPDATE lanes SET last_seq = $2 WHERE lane = $1', [name, lane.state.lastSeq + waiting.length])
  return readyHeads(sql, [name])
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

/** Rewrites the bodies of deliveries that had an attempt and wait for another: same content, newer report links. */
export async function relink(
  sql: Sql,
  lane: OrderLane,
  links: ReadonlyArray<{ id: string; content: OrderBody }>,
): Promise<void> {
  const name = laneOfOrder(lane.backgroundCheckId)
  for (const { id, content } of links) {
    await sql.query(`UPDATE deliveries SET body_sealed = $2 WHERE id = $1 AND state = 'pending'`, [
      id,
      sealBody(lane.key, name, content),
    ])
  }
}
