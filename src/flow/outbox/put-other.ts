import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { type OtherBody, probes } from '../map.js'
import { sealBody, tryToOpenOther } from './bodies.js'
import { bucketOf } from './buckets.js'
import { lockLane, readyHeads } from './lanes.js'
import { stateOf } from './state-of.js'

/** A lane that belongs to no order: of an account, of a tenant's form, of an agreement. */
export interface OtherLane {
  lane: string
  appId: string
  tenantKey: string
  accountId: string | null
}

export interface NewOther {
  content: OtherBody
  /** A create that may have taken effect before: it begins with the question whether it did (contract §3.11). */
  probe?: boolean
}

/** Adds deliveries behind whatever is in a lane. Answers their ids and the buckets that got something to do. */
export async function putBehind(
  sql: Sql,
  sealer: Sealer,
  to: OtherLane,
  deliveries: readonly NewOther[],
): Promise<{ ids: string[]; buckets: number[] }> {
  if (deliveries.length === 0) return { ids: [], buckets: [] }
  const { lastSeq, unsure } = await lockLane(sql, to.lane)
  const rows: Array<{ bucket: number; api: string; probe: boolean; body: Buffer }> = []
  for (const { content, probe: asked = false } of deliveries) {
    const probe = asked || unsure
    const bucketApi = (probe && probes[content.api]) || content.api
    const bucket = (await bucketOf(sql, to.appId, to.tenantKey, bucketApi)).id
    rows.push({ bucket, api: content.api, probe, body: sealBody(sealer, to.lane, content) })
  }
  const put = await sql.query<{ id: string }>(
    `INSERT INTO deliveries (lane, app_id, tenant_key, account_id, seq, bucket_id, api, ambiguous, body_sealed)
     SELECT $1, $2, $3, $4, w.* FROM unnest($5::int[], $6::int[], $7::text[], $8::bool[], $9::bytea[])
       AS w (seq, bucket_id, api, ambiguous, body) ORDER BY w.seq RETURNING id`,
    [
      to.lane,
      to.appId,
      to.tenantKey,
      to.accountId,
      rows.map((_row, index) => lastSeq + 1 + index),
      rows.map((row) => row.bucket),
      rows.map((row) => row.api),
      rows.map((row) => row.probe),
      rows.map((row) => row.body),
    ],
  )
  await sql.query('UPDATE lanes SET last_seq = $2 WHERE lane = $1', [to.lane, lastSeq + rows.length])
  return { ids: put.rows.map((row) => row.id), buckets: await readyHeads(sql, [to.lane]) }
}

export interface Unsettled {
  id: string
  content: OtherBody
  state: 'pending' | 'sending'
  /** Feishu may have seen it. */
  attempted: boolean
}

/**
 * What of a lane is not settled, in its order, but for what no key opens: that is never sent, and dead when its turn comes.
 * The caller holds the lane; the rows are locked, so no pump claims them.
 */
export async function readUnsettled(sql: Sql, sealer: Sealer, lane: string): Promise<Unsettled[]> {
  const found = await sql.query<{
    id: string
    api: string
    state: 'pending' | 'sending'
    attempted: boolean
    body_sealed: Buffer
  }>(
    `SELECT id, api, state, attempts > 0 OR ambiguous OR state = 'sending' AS attempted, body_sealed
     FROM deliveries d WHERE lane = $1 AND ${stateOf('d')} IN ('pending', 'sending') ORDER BY seq FOR UPDATE`,
    [lane],
  )
  return found.rows.flatMap(({ id, api, state, attempted, body_sealed }) => {
    const content = tryToOpenOther(sealer, lane, api, body_sealed)
    return content === null ? [] : [{ id, state, attempted, content }]
  })
}

/** Ends what waits in a lane and that Feishu never saw. The caller holds the lane. Answers the ids. */
export async function supersedeUntried(sql: Sql, lane: string): Promise<string[]> {
  const ended = await sql.query<{ id: string }>(
    `UPDATE deliveries d SET state = 'superseded', due_at = NULL, settled_at = now()
     WHERE lane = $1 AND ${stateOf('d')} = 'pending' AND attempts = 0 AND NOT ambiguous RETURNING id`,
    [lane],
  )
  await readyHeads(sql, [lane])
  return ended.rows.map((row) => row.id)
}

/**
 * Puts a dead delivery behind whatever is in its lane, with a new body where its content changed. The caller holds the
 * lane. Answers the buckets that got something to do.
 */
export async function putBackBehind(
  sql: Sql,
  sealer: Sealer,
  { id, lane, content }: { id: string; lane: string; content: OtherBody },
): Promise<number[]> {
  const { lastSeq, unsure } = await lockLane(sql, lane)
  await sql.query(
    `UPDATE deliveries SET state = 'pending', due_at = NULL, settled_at = NULL, dead_class = NULL, attempts = 0,
       first_attempt_at = NULL, waited_ms = 0, ambiguous = ambiguous OR $4, seq = $2, body_sealed = $3 WHERE id = $1 AND state = 'dead'`,
    [id, lastSeq + 1, sealBody(sealer, lane, content), unsure],
  )
  await sql.query('UPDATE lanes SET last_seq = $2 WHERE lane = $1', [lane, lastSeq + 1])
  return readyHeads(sql, [lane])
}
