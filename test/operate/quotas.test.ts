import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Api, secrets, startOperators } from './harness.js'

let api: Api

beforeAll(async () => {
  api = await startOperators()
})

afterAll(() => api.stop())

beforeEach(async () => {
  await api.parts.database.pool.query('TRUNCATE call_minutes')
})

type Row = [minute: string, tenant: string, method: string, calls: number, delivered: number, limited: number]

async function add(...rows: Row[]) {
  for (const row of rows) {
    const text = `INSERT INTO call_minutes (minute, app_id, tenant_key, api, calls, delivered, limited)
      VALUES ($1, 'cli_a', $2, $3, $4, $5, $6)`
    await api.parts.database.pool.query(text, row)
  }
}

const day = 'since=2026-01-02T00:00:00Z&until=2026-01-03T00:00:00Z'
const read = (query: string) => api.call('GET', `/v1/quotas?${query}`, { secret: secrets.read })

test('shows calls of each tenant and method over time, against the windows that are kept to', async () => {
  await add(
    ['2026-01-02T03:04:00Z', 'tk_a', 'update_progress', 120, 118, 0],
    ['2026-01-02T03:05:00Z', 'tk_a', 'update_progress', 30, 30, 1],
    ['2026-01-02T03:05:00Z', 'tk_b', 'tripartite_agreements.list', 4, 4, 0],
    ['2026-01-03T00:00:00Z', 'tk_a', 'update_progress', 9, 9, 0],
  )
  const { status, body } = await read(day)
  expect(status).toBe(200)
  expect(body).toEqual({
    since: '2026-01-02T00:00:00.000Z',
    until: '2026-01-03T00:00:00.000Z',
    step: 'minute',
    series: [
      {
        ...{ app_id: 'cli_a', tenant_key: 'tk_a', api: 'update_progress' },
        windows: [
          { limit: 50, window_ms: 1000 },
          { limit: 1000, window_ms: 60_000 },
        ],
        points: [
          { at: '2026-01-02T03:04:00.000Z', calls: 120, delivered: 118, limited: 0, peak: 120 },
          { at: '2026-01-02T03:05:00.000Z', calls: 30, delivered: 30, limited: 1, peak: 30 },
        ],
      },
      {
        ...{ app_id: 'cli_a', tenant_key: 'tk_b', api: 'tripartite_agreements.list' },
        windows: [{ limit: 10, window_ms: 1000 }],
        points: [{ at: '2026-01-02T03:05:00.000Z', calls: 4, delivered: 4, limited: 0, peak: 4 }],
      },
    ],
  })
})

test('sums longer steps up, and keeps their fullest minute', async () => {
  await add(
    ['2026-01-02T03:04:00Z', 'tk_a', 'cancel', 7, 7, 0],
    ['2026-01-02T03:59:00Z', 'tk_a', 'cancel', 5, 4, 1],
    ['2026-01-02T23:59:00Z', 'tk_a', 'cancel', 1, 1, 0],
  )
  const pointsOf = async (step: string) => (await read(`${day}&step=${step}`)).body['series']
  const first = { at: '2026-01-02T03:00:00.000Z', calls: 12, delivered: 11, limited: 1, peak: 7 }
  expect(await pointsOf('hour')).toMatchObject([{ points: [first, { at: '2026-01-02T23:00:00.000Z', calls: 1 }] }])
  expect(await pointsOf('day')).toMatchObject([{ points: [{ at: '2026-01-02T00:00:00.000Z', calls: 13, peak: 7 }] }])
})

test('is narrowed to an app, a tenant and a method', async () => {
  await add(
    ['2026-01-02T03:04:00Z', 'tk_a', 'cancel', 1, 1, 0],
    ['2026-01-02T03:04:00Z', 'tk_b', 'cancel', 2, 2, 0],
    ['2026-01-02T03:04:00Z', 'tk_b', 'update_result', 3, 3, 0],
  )
  const found = await read(`${day}&app_id=cli_a&tenant_key=tk_b&api=update_result`)
  expect(found.body['series']).toMatchObject([{ tenant_key: 'tk_b', api: 'update_result', points: [{ calls: 3 }] }])
  expect((await read(`${day}&app_id=cli_b`)).body['series']).toEqual([])
})

test('shows the last hour when nothing is said about time', async () => {
  const { pool } = api.parts.database
  const text = `INSERT INTO call_minutes (minute, app_id, tenant_key, api, calls)
    SELECT date_trunc('minute', now() - ago * interval '1 minute'), 'cli_a', 'tk', 'cancel', 1 FROM unnest($1::int[]) ago`
  await pool.query(text, [[10, 90]])
  expect((await read('')).body['series']).toMatchObject([{ points: [{ calls: 1 }] }])
})

test.each([
  ['since=yesterday', 'since'],
  ['since=2026-01-03T00:00:00Z&until=2026-01-02T00:00:00Z', 'since'],
  ['step=week', 'step'],
  ['api=nothing', 'api'],
])('refuses what it cannot read, and names it: %s', async (query, path) => {
  expect(await read(query)).toMatchObject({ status: 400, body: { errors: [{ path }] } })
})

test('refuses an answer of more points than anybody looks at', async () => {
  await api.parts.database.pool.query(
    `INSERT INTO call_minutes (minute, app_id, tenant_key, api, calls)
     SELECT timestamptz '2026-01-02T00:00:00Z' + n * interval '1 second' * 4, 'cli_a', 'tk_' || n, 'cancel', 1
     FROM generate_series(0, 20000) n`,
  )
  expect(await read(day)).toMatchObject({ status: 400, body: { errors: [{ path: 'step' }] } })
  expect((await read(`${day}&tenant_key=tk_7`)).status).toBe(200)
})
