import { createHash } from 'node:crypto'
import { fingerprintOf } from '../../src/flow/orders/record.js'
import { createDataKey } from '../../src/platform/crypto/data-key.js'
import type { Sealer } from '../../src/platform/crypto/sealer.js'
import { intervalMs } from './settings.js'
import { readWords } from './words.js'
import type { World } from './world.js'

type Filled = Pick<World, 'pool'>

/*
 * Open orders as placing and a first poll leave them: what they were placed with, sealed, some 620 bytes, a wrapped data
 * key, the vendor's number, and a schedule with the fingerprint of what the vendor says. Only sizes are real of what is
 * sealed, but for the orders that change in a round.
 */

const first = 7_400_000_000_000_000_000n
const idOf = (n: string) => `(${first}::bigint + ${n})::text`
const tenantOf = (n: string, tenants: number) => `substr(md5((${n} % ${tenants})::text), 1, 16)`
const payloadBytes = 620
const wrappedBytes = 63

/** Orders `from` to `to`, due at random within their interval. */
export async function addOrders({ pool }: Filled, from: number, to: number, tenants: number): Promise<void> {
  await pool.query(
    `INSERT INTO orders (background_check_id, app_id, tenant_key, account_id, package_id, vendor_order_id, state, payload_sealed, data_key)
     SELECT ${idOf('n')}, 'cli_bench_polling', ${tenantOf('n', tenants)}, 'account', 'package', 'V-' || ${idOf('n')}, 'in_progress',
       decode(repeat('ab', ${payloadBytes}), 'hex'), decode(repeat('cd', ${wrappedBytes}), 'hex')
     FROM generate_series($1::int, $2::int) n`,
    [from, to],
  )
  const { content, links } = wordsAbout('@')
  await pool.query(
    `INSERT INTO poll_schedule (background_check_id, tenant_key, due_at, interval_ms, fingerprint)
     SELECT id, ${tenantOf('n', tenants)}, now() + random() * ${intervalMs} * interval '1 ms', ${intervalMs},
       substring(sha256(convert_to(replace($3, '@', id), 'UTF8')) for 16) || substring(sha256(convert_to(replace($4, '@', id), 'UTF8')) for 8)
     FROM (SELECT n, ${idOf('n')} AS id FROM generate_series($1::int, $2::int) n) numbered`,
    [from, to, content, links],
  )
  await checkFingerprint(pool, String(first + BigInt(to)))
  await pool.query('VACUUM ANALYZE orders')
  await pool.query('VACUUM ANALYZE poll_schedule')
}

/** What `fingerprintOf` hashes. */
function wordsAbout(id: string) {
  const links: string[] = []
  const content = JSON.stringify(readWords(id), (key, value: unknown) => {
    if (key !== 'url') return value
    links.push(String(value))
    return undefined
  })
  return { content, links: JSON.stringify(links) }
}

async function checkFingerprint(pool: Filled['pool'], id: string): Promise<void> {
  const text = 'SELECT fingerprint FROM poll_schedule WHERE background_check_id = $1'
  const kept = (await pool.query<{ fingerprint: Buffer }>(text, [id])).rows[0]?.fingerprint
  if (!kept?.equals(fingerprintOf(readWords(id)))) throw new Error('the fingerprints are not those of the service')
}

/** All are due, or they are due evenly over some time to come. The table is as after a load. */
export async function dueWithin({ pool }: Filled, spreadMs: number, everyMs: number): Promise<void> {
  await pool.query(
    `UPDATE poll_schedule SET due_at = now() + random() * $1 * interval '1 ms', interval_ms = $2, claimed = false`,
    [spreadMs, everyMs],
  )
  await tidy(pool)
}

/** Other tenants of the same orders: a schedule is all that a claim goes by. */
export async function spreadOver({ pool }: Filled, tenants: number): Promise<void> {
  await pool.query(
    `UPDATE poll_schedule SET tenant_key = ${tenantOf('right(background_check_id, 7)::int', tenants)}, due_at = now() - random() * interval '1 minute'`,
  )
  await tidy(pool)
}

async function tidy(pool: Filled['pool']): Promise<void> {
  for (const text of ['VACUUM FULL poll_schedule', 'VACUUM ANALYZE poll_schedule', 'CHECKPOINT']) await pool.query(text)
}

/** Of every hundredth order the vendor says something that is not known yet, and its key can be opened. */
export async function changeSome({ pool }: Filled, sealer: Sealer, round: number, orders: number): Promise<void> {
  const ids = Array.from({ length: Math.floor(orders / 100) }, (_, index) =>
    String(first + BigInt(index * 100 + round + 1)),
  )
  const keys = ids.map((id) => createDataKey(sealer, id).wrapped)
  await pool.query(
    `UPDATE orders o SET data_key = g.key FROM unnest($1::text[], $2::bytea[]) AS g (id, key) WHERE o.background_check_id = g.id`,
    [ids, keys],
  )
  const other = createHash('sha256').update('earlier words').digest().subarray(0, 24)
  await pool.query('UPDATE poll_schedule SET fingerprint = $2 WHERE background_check_id = ANY($1)', [ids, other])
}

export interface Sizes {
  tableMb: number
  indexesMb: number
}

export async function sizesOf({ pool }: Filled): Promise<Sizes> {
  const text = `SELECT pg_table_size('poll_schedule') / 1048576.0 AS "tableMb", pg_indexes_size('poll_schedule') / 1048576.0 AS "indexesMb"`
  const { rows } = await pool.query<Record<keyof Sizes, string>>(text)
  return { tableMb: Number(rows[0]?.tableMb), indexesMb: Number(rows[0]?.indexesMb) }
}
