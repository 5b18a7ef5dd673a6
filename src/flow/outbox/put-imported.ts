import type { Sql } from '../../platform/database/database.js'
import { laneOfOrder, type OrderBody } from '../map.js'
import { sealBody } from './bodies.js'
import { bucketOf } from './buckets.js'
import type { OrderLane } from './put.js'

/**
 * Lays down what an older system has sent to Feishu already, in the order in which it did: delivered, and without any call
 * of ours, which is how `readLane` knows it again. The caller holds the lane.
 */
export async function putImported(sql: Sql, lane: OrderLane, contents: readonly OrderBody[]): Promise<void> {
  if (contents.length === 0) return
  const { backgroundCheckId, appId, tenantKey, state, key } = lane
  const name = laneOfOrder(backgroundCheckId)
  const buckets = new Map<string, number>()
  for (const api of new Set(contents.map((content) => content.api))) {
    buckets.set(api, (await bucketOf(sql, appId, tenantKey, api)).id)
  }
  const stages = contents.map((content) => (content.api === 'update_progress' ? content.body : null))
  await sql.query(
    `INSERT INTO deliveries (lane, app_id, tenant_key, background_check_id, state, confirmed, seq, bucket_id, api, stage_id, stage_time, body_sealed)
     SELECT $1, $2, $3, $4, 'delivered', true, w.*
     FROM unnest($5::int[], $6::int[], $7::text[], $8::text[], $9::bigint[], $10::bytea[])
       AS w (seq, bucket_id, api, stage_id, stage_time, body) ORDER BY w.seq`,
    [
      name,
      appId,
      tenantKey,
      backgroundCheckId,
      contents.map((_, index) => state.lastSeq + 1 + index),
      contents.map((content) => buckets.get(content.api)),
      contents.map((content) => content.api),
      stages.map((stage) => stage?.stage_id ?? null),
      stages.map((stage) => stage?.stage_time ?? null),
      contents.map((content) => sealBody(key, name, content)),
    ],
  )
  await sql.query('UPDATE lanes SET last_seq = $2 WHERE lane = $1', [name, state.lastSeq + contents.length])
}
