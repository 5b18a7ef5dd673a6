import { laneOfOrder, type OrderBody } from '../../src/flow/map.js'
import { cancelOf, progressOf } from '../../src/flow/orders/stages.js'
import { sealBody } from '../../src/flow/outbox/bodies.js'
import { bucketOf } from '../../src/flow/outbox/buckets.js'
import { wakePumps } from '../../src/flow/to-feishu/wake-pumps.js'
import { createDataKey } from '../../src/platform/crypto/data-key.js'
import type { World } from './world.js'

/* Orders that the vendor has, each with one stage or cancel that waits for Feishu, as the rows that a poll would have left. */

let lastId = 7_400_000_000_000_000_000n

export function freshIds(count: number): string[] {
  return Array.from({ length: count }, () => {
    lastId += 1n
    return String(lastId)
  })
}

/** A stage as vendors send them, with a report. */
export function stageOf(backgroundCheckId: string): OrderBody {
  const stage = {
    id: 'education',
    name: '学历核实',
    enName: 'Education check',
    time: 1_760_000_000_000,
    result: '无异常',
    reports: [
      { name: '学历核实报告.pdf', url: `https://vendor.example.com/reports/${backgroundCheckId}`, type: 1 as const },
    ],
  }
  return { api: 'update_progress', body: progressOf(backgroundCheckId, stage, stage.time).body }
}

export interface Origin {
  appId: string
  tenantKey: string
}

type Ground = Pick<World, 'database' | 'sealer'>

const insertSql = `
  WITH given AS (SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS g (id, data_key, body)),
  placed AS (
    INSERT INTO orders (background_check_id, app_id, tenant_key, state, vendor_order_id, data_key)
    SELECT id, $4, $5, 'in_progress', 'V-' || id, data_key FROM given
  ), laned AS (
    INSERT INTO lanes (lane, last_seq) SELECT 'order:' || id, 1 FROM given
  )
  INSERT INTO deliveries (lane, seq, bucket_id, api, app_id, tenant_key, background_check_id, stage_id, body_sealed, due_at)
  SELECT 'order:' || id, 1, $6, $7::text, $4, $5, id, CASE $7::text WHEN 'cancel' THEN NULL ELSE 'education' END, body, clock_timestamp() FROM given
  RETURNING background_check_id AS id, extract(epoch FROM due_at)::float8 * 1000 AS due`

/** Answers the bucket and when each order's delivery was due, in ms since 1970. */
export async function putOrders(
  { database, sealer }: Ground,
  { appId, tenantKey }: Origin,
  ids: readonly string[],
  api: 'update_progress' | 'cancel' = 'update_progress',
) {
  const { id: bucket } = await bucketOf(database.pool, appId, tenantKey, api)
  const rows = ids.map((id) => {
    const key = createDataKey(sealer, id)
    return {
      dataKey: key.wrapped,
      body: sealBody(key, laneOfOrder(id), api === 'cancel' ? { api, body: cancelOf(id) } : stageOf(id)),
    }
  })
  const put = await database.pool.query<{ id: string; due: number }>({
    name: 'put-orders',
    text: insertSql,
    values: [ids, rows.map((row) => row.dataKey), rows.map((row) => row.body), appId, tenantKey, bucket, api],
  })
  return { bucket, due: new Map(put.rows.map(({ id, due }) => [id, due])) }
}

/** Nothing of the app is sent until `release`. */
export async function holdApp({ database }: Ground, appId: string): Promise<void> {
  await database.pool.query(`INSERT INTO holds (scope, app_id, reason) VALUES ('app', $1, 'the benchmark prepares')`, [
    appId,
  ])
}

/** Everything that waits is due now. Answers the time, in ms since 1970. */
export async function release({ database, hints }: World, buckets: readonly number[]): Promise<number> {
  await database.pool.query('ANALYZE deliveries, orders, lanes, buckets')
  await database.pool.query('CHECKPOINT')
  await database.pool.query('UPDATE holds SET released_at = now() WHERE released_at IS NULL')
  const at = performance.timeOrigin + performance.now()
  wakePumps(hints, buckets)
  return at
}

export async function countOf({ database }: Ground, state: string): Promise<number> {
  const text = 'SELECT count(*)::int AS n FROM deliveries WHERE state = $1'
  return (await database.pool.query<{ n: number }>(text, [state])).rows[0]?.n ?? 0
}
