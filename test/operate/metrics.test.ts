import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../src/config.js'
import { backlogQueries } from '../../src/operate/backlog.js'
import { registerGauges } from '../../src/operate/gauges.js'
import { createMetrics } from '../../src/operate/metrics.js'
import { type Database, openDatabase } from '../../src/platform/database/database.js'
import { createLogger } from '../../src/platform/logger.js'
import { type Ground, layGround } from '../support/room.js'
import { startOperators } from './harness.js'

let ground: Ground

beforeAll(async () => {
  ground = await layGround()
})

afterAll(() => ground.stop())

const config = readConfig({
  FEISHU_APP_ID: 'cli_a',
  FEISHU_APP_SECRET: 'secret',
  FEISHU_ENCRYPT_KEY: 'key',
  FEISHU_VERIFICATION_TOKEN: 'token',
  VENDOR_BASE_URL: 'http://127.0.0.1:1',
  VENDOR_API_KEY: 'vendor-key',
})

/** All that a process exports, with Redis connected. */
function exporter(database: Database = ground.database, withinMs = 30_000, role = 'master') {
  const metrics = createMetrics()
  // All that is asked of one server.
  const redis = { info: async () => `# Replication\r\nrole:${role}\r\nconnected_slaves:0\r\n` } as never
  const count = registerGauges({ config, database, log: createLogger('silent'), metrics, redis }, withinMs)
  const scrape = async () => {
    await count()
    return metrics.registry.metrics()
  }
  return { metrics, scrape }
}

interface Listed {
  name: string
  type: string
  help: string
  labelNames: string[]
}

function listed(): Listed[] {
  return exporter().metrics.registry.getMetricsAsArray() as unknown as Listed[]
}

test('promtool finds nothing to complain about', async () => {
  const text = await exporter().scrape()
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
  if (checked.error) throw checked.error
  expect(checked.stderr + checked.stdout).toBe('')
  expect(checked.status).toBe(0)
})

const alerts = readFileSync('ops/prometheus/alerts.yml', 'utf8').split('- alert: ').slice(1)

function alertsOn(name: string): string {
  const used = alerts.filter((text) => new RegExp(`\\b${name}(_bucket|_count|_sum)?\\b`).test(text))
  return used.map((text) => `\`${/^\w+/.exec(text)?.[0]}\``).join(', ')
}

test('docs/metrics.md has a line for each metric: name, type, labels, meaning, and the alerts that look at it', () => {
  const page = readFileSync('docs/metrics.md', 'utf8')
  const found = page.split('\n').filter((line) => line.startsWith('| `bgc_'))
  const expected = listed()
    .filter(({ name }) => !/^bgc_(process|nodejs)_/.test(name))
    .map(({ name, type, labelNames, help }) => {
      const labels = labelNames.map((label) => `\`${label}\``).join(', ')
      return `| \`${name}\` | ${type} | ${labels} | ${help} | ${alertsOn(name)} |`
    })
  expect(found.toSorted()).toEqual(expected.toSorted())
})

test('no label has values without a bound', () => {
  const bounded =
    'action api chore class kind loop method name node outcome permission pool reason result role route scope settled severity space state status type verb version'
  const others = 'kind le major minor patch quantile'
  const known = new Set(`${bounded} ${others}`.split(' '))
  const unknown = listed().flatMap(({ name, labelNames }) =>
    labelNames.filter((label) => !known.has(label)).map((label) => `${name}{${label}}`),
  )
  expect(unknown).toEqual([])
})

const many = 20_000
const large = 'orders|deliveries|events|timeline|seen_events|poll_schedule'

test('counts of the backlog read no large table, whatever it holds', async () => {
  const { pool } = ground.another()
  const client = await pool.connect()
  const plans: string[] = []
  try {
    await client.query('BEGIN')
    const text = `SELECT n::text FROM generate_series(1, ${many}) n`
    await client.query(`INSERT INTO orders (background_check_id, app_id, tenant_key, state, erased_at)
      SELECT n, 'a', 't' || n::int % 50, CASE WHEN n::int % 500 = 0 THEN 'ordered' ELSE 'completed' END,
        CASE WHEN n::int % 3 = 0 THEN NULL ELSE now() END FROM (${text}) w (n)`)
    await client.query(`INSERT INTO deliveries (lane, seq, bucket_id, api, app_id, tenant_key, state, due_at)
      SELECT 'order:' || n, 1, 1, 'update_result', 'a', 't', CASE WHEN n::int % 500 = 0 THEN 'pending' ELSE 'delivered' END,
        CASE WHEN n::int % 500 = 0 THEN now() END FROM (${text}) w (n)`)
    await client.query(`INSERT INTO events (app_id, event_id, type, tenant_key, create_time, state, due_at)
      SELECT 'a', n, 'x', 't', '', CASE WHEN n::int % 500 = 0 THEN 'failed' ELSE 'done' END,
        CASE WHEN n::int % 700 = 0 THEN now() END FROM (${text}) w (n)`)
    await client.query(`INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms)
      SELECT n, 't' || n::int % 50, 1000 FROM (${text}) w (n)`)
    await client.query('ANALYZE orders, deliveries, events, poll_schedule')
    for (const { sql } of backlogQueries(180)) {
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`)
      plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
    }
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
  expect(plans.filter((plan) => new RegExp(`Seq Scan on (${large})\\b`).test(plan))).toEqual([])
  expect(plans.filter((plan) => new RegExp(` on (${large})\\b`).test(plan)).length).toBeGreaterThan(5)
})

test('shows what waits and what is stuck', async () => {
  const { pool } = ground.database
  await pool.query(`INSERT INTO deliveries (lane, seq, bucket_id, api, app_id, tenant_key, state, due_at, seen_at, dead_class)
    VALUES ('order:1', 1, 1, 'update_result', 'a', 't', 'pending', now(), now() - interval '1 hour', NULL),
      ('order:1', 2, 1, 'update_result', 'a', 't', 'pending', NULL, now(), NULL),
      ('order:2', 1, 1, 'cancel', 'a', 't', 'dead', NULL, now(), 'customer')`)
  await pool.query(`INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms, due_at)
    VALUES ('1', 't1', 1000, now() + interval '1 hour'), ('2', 't2', 1000, now() - interval '10 minutes')`)
  await pool.query(`INSERT INTO orders (background_check_id, app_id, tenant_key, state, updated_at)
    VALUES ('1', 'a', 't', 'reported', now() - interval '190 days'), ('2', 'a', 't', 'completed', now())`)
  await pool.query(`INSERT INTO holds (scope, app_id, reason) VALUES ('app', 'a', 'x')`)
  const text = await exporter().scrape()
  const figure = (name: string) => Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1])
  expect(figure('bgc_deliveries_waiting_heads{api="update_result"}')).toBe(1)
  expect(figure('bgc_deliveries_unsettled{state="pending"}')).toBe(2)
  expect(figure('bgc_deliveries_dead{class="customer"}')).toBe(1)
  expect(figure('bgc_deliveries_oldest_waiting_seconds{api="update_result"}')).toBeGreaterThanOrEqual(3600)
  expect(figure('bgc_polls_late_seconds')).toBeGreaterThanOrEqual(600)
  expect(figure('bgc_orders_open{state="reported"}')).toBe(1)
  expect(figure('bgc_holds_open{scope="app"}')).toBe(1)
  expect(figure('bgc_retention_overdue_seconds')).toBeGreaterThanOrEqual(10 * 86_400 - 5)
  expect(Math.abs(figure('bgc_clock_offset_seconds'))).toBeLessThan(60)
  expect([figure('bgc_database_up'), figure('bgc_redis_up')]).toEqual([1, 1])
  expect(text).toContain('bgc_role_info{role="poller"} 1')
})

test('a Redis that takes no calls for a window is not up', async () => {
  expect(await exporter(ground.database, 30_000, 'slave').scrape()).toMatch(/^bgc_redis_up 0$/m)
})

/** Something that takes connections and says nothing, as a database behind a dead network does. */
async function startSilence() {
  const server = createServer(() => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, stop: () => server.close() }
}

test.each(['refuses', 'says nothing'])(
  'a scrape goes on without a database that %s, and claims nothing of it',
  async (how) => {
    const silence = await startSilence()
    const port = how === 'refuses' ? 1 : silence.port
    const gone = openDatabase({ url: `postgresql://x@127.0.0.1:${port}/x`, log: createLogger('silent') })
    const text = await exporter(gone, 50).scrape()
    expect(text).toMatch(/^bgc_database_up 0$/m)
    expect(text).not.toMatch(
      /^bgc_(events_waiting|deliveries_\w+|orders_open|polls_late_seconds|clock_offset_seconds)[ {]/m,
    )
    expect(text).toMatch(/^bgc_build_info\{version="\d+\.\d+\.\d+",node="v\d+/m)
    silence.stop()
  },
)

test('requests are counted by the template of their route, and repeats of a write as what they are', async () => {
  const api = await startOperators()
  await api.call('GET', '/v1/orders/7400000000000000001')
  await api.call('GET', '/v1/nothing/here')
  const write = { headers: { 'idempotency-key': 'once' } }
  await api.call('POST', '/v1/sweeps/run', write)
  await api.call('POST', '/v1/sweeps/run', write)
  const { body } = await api.call('GET', '/metrics')
  const counted = (labels: string) => `bgc_api_requests_total{${labels}} 1`
  expect(body['text']).toContain(counted('method="GET",route="/v1/orders/{background_check_id}",status="404"'))
  expect(body['text']).toContain(counted('method="GET",route="none",status="404"'))
  expect(body['text']).toContain('bgc_api_replays_total 1\n')
  await api.stop()
})
