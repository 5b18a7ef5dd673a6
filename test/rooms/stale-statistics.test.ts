import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { chores } from '../../src/flow/housekeeping/chores.js'
import { fallBackToPolls } from '../../src/flow/orders/feed.js'
import { supersedeErased } from '../../src/flow/outbox/supersede.js'
import { doubtedOrders } from '../../src/flow/reconcile/our-tenant.js'
import { backlogQueries } from '../../src/operate/backlog.js'
import { keepTerms } from '../support/keep-terms.js'
import { explaining } from '../support/plans.js'
import { count, type Ground, layGround } from '../support/room.js'

/*
 * PostgreSQL plans by what it counted last, and that may be long ago: nothing was due then, nothing was dead. Each of
 * these reads no more than it needs all the same.
 */

let ground: Ground

beforeAll(async () => {
  ground = await layGround()
})
afterAll(() => ground.stop())
beforeEach(() => query('TRUNCATE orders, deliveries, poll_schedule'))

async function query(text: string, values: unknown[] = []): Promise<void> {
  await ground.database.pool.query(text, values)
}

/** `state` and `tenant` are expressions of `n`; a minute lies between two orders, the first is the oldest. */
async function addOrders(count: number, state: string, tenant: string): Promise<void> {
  await query(
    `INSERT INTO orders (background_check_id, app_id, tenant_key, state, created_at, updated_at)
     SELECT n::text, 'cli', ${tenant}, ${state}, now() - ($1::int - n) * interval '1 minute', now() - ($1::int - n) * interval '1 minute'
     FROM generate_series(1, $1::int) n`,
    [count],
  )
  await query('ANALYZE orders')
}

async function addPolls(count: number, tenant: string): Promise<void> {
  await query(
    `INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms, due_at)
     SELECT n::text, ${tenant}, 0, now() - ($1::int - n) * interval '1 ms' FROM generate_series(1, $1::int) n`,
    [count],
  )
  await query('ANALYZE poll_schedule')
}

test('orders that stand still are found among the open ones, behind many that ended', async () => {
  await addOrders(20_000, `CASE WHEN n > 19000 THEN 'in_progress' ELSE 'completed' END`, `'tk'`)
  const { pool, counted } = explaining(ground.database.pool)
  await chores.orders_flagged_stale({
    database: { ...ground.database, pool },
    terms: { ...keepTerms, staleMs: 950 * 60_000 },
    batch: 100,
  })
  expect(counted.unwanted).toBe(0)
})

test('what a sweep asks about of one tenant is found without what is dead of others', async () => {
  await query(
    `INSERT INTO deliveries (lane, seq, app_id, tenant_key, bucket_id, api, state, dead_class, background_check_id, settled_at)
     SELECT 'order:' || n, 1, 'cli', 'tk_' || n % 100, 1, 'update_progress', 'dead', 'unconfirmed', n::text, now()
     FROM generate_series(1, 20000) n`,
  )
  await query('ANALYZE deliveries')
  const { pool, counted } = explaining(ground.database.pool)
  const long = new Date(0)
  await doubtedOrders(
    pool,
    { appId: 'cli', tenantKey: 'tk_7' },
    { after: '', since: long, seenBefore: long, limit: 200 },
  )
  expect(counted.unwanted).toBe(0)
})

test('how late polls are is the first entry of an index', async () => {
  await addPolls(20_000, `CASE WHEN n = 20000 THEN 'tk_last' ELSE 'tk_' || n % 3 END`)
  const { pool, counted } = explaining(ground.database.pool)
  const late = backlogQueries(180).find(({ gauges }) => gauges[0]?.name === 'bgc_polls_late_seconds')
  await pool.query(late?.sql ?? '', [])
  expect(counted.unwanted).toBe(0)
})

test('what is dead of a lane is found by the lane, where nothing was dead when it was counted', async () => {
  const add = `INSERT INTO deliveries (lane, seq, app_id, tenant_key, bucket_id, api, state, background_check_id)
    SELECT 'order:' || n / 3, n % 3, 'cli', 'tk', 1, 'update_progress', $3, (n / 3)::text FROM generate_series($1::int, $2::int) n`
  await query(add, [1, 20_000, 'delivered'])
  await query('ANALYZE deliveries')
  await query(add, [20_001, 24_000, 'dead'])
  const { pool, counted } = explaining(ground.database.pool)
  await supersedeErased(pool, 'order:7000')
  expect(counted.unwanted).toBeLessThanOrEqual(3)
})

test('when the feed cannot be read, each order is polled soon, page by page, also one that is being polled', async () => {
  await addPolls(25, `'tk'`)
  await query(
    `UPDATE poll_schedule SET due_at = now() + interval '1 day', interval_ms = 9, claimed = background_check_id = '7'`,
  )
  const options = { database: ground.database, log: ground.log, terms: { minMs: 1000, maxMs: 9000 } }
  await fallBackToPolls(options, 10)
  const soon = `poll_schedule WHERE due_at <= now() + interval '1 s' AND interval_ms = 1000 AND NOT claimed`
  expect(await count(ground.database, soon)).toBe(25)
  expect(await count(ground.database, `poll_schedule WHERE fence = 1`)).toBe(1)
})
