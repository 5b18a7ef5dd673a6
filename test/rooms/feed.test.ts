import { afterEach, beforeEach, expect, test } from 'vitest'
import { startFeed } from '../../src/flow/orders/feed.js'
import { pollNow } from '../../src/flow/orders/nudge.js'
import { startPoller } from '../../src/flow/orders/poll.js'
import { recordVendorOrder } from '../../src/flow/orders/record.js'
import type { ChangedOrders, VendorAnswer, VendorOrder } from '../../src/flow/vendor/adapter.js'
import type { Started } from '../../src/platform/lifetime.js'
import { eventually } from '../support/eventually.js'
import { delivered, lanesOn } from '../support/lane-room.js'
import { count, type Ground, layGround } from '../support/room.js'
import { ok, scriptedVendor } from '../support/scripted-vendor.js'
import { saying, stage } from '../support/vendor-words.js'

let ground: Ground
let lanes: ReturnType<typeof lanesOn>
const started: Started[] = []

beforeEach(async () => {
  ground = await layGround()
  lanes = lanesOn(ground)
})

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()))
  await ground.stop()
})

const terms = { minMs: 20, maxMs: 3_600_000 }
const onReady = () => undefined

async function placeToPoll(): Promise<string> {
  const id = await lanes.place()
  const text = `INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms, due_at)
    VALUES ($1, 'tk_lane', 0, now() + interval '1 hour')`
  await ground.database.pool.query(text, [id])
  return id
}

/** A feed that names these orders once. */
function follow(orders: VendorOrder[]): void {
  const vendor = scriptedVendor()
  vendor.changes = async () => ok({ expired: false, orders: orders.splice(0), cursor: 'c-1', hasMore: false })
  const { database, sealer, log } = ground
  started.push(startFeed({ database, sealer, vendor, log, terms, isOffered: () => true, onReady }))
}

function saidOf(id: string, order: VendorOrder): VendorOrder {
  return { ...order, orderId: `V-${id}` }
}

test('one order that cannot be written down stops neither its neighbours nor the cursor, and is polled by itself', async () => {
  const [first, broken, last] = [await placeToPoll(), await placeToPoll(), await placeToPoll()]
  await ground.database.pool.query(`UPDATE orders SET data_key = '\\x0900' WHERE background_check_id = $1`, [broken])
  follow([first, broken, last].map((id) => saidOf(id, saying('in_progress', [stage('a')]))))
  await eventually(() => count(ground.database, `vendor_feeds WHERE cursor = 'c-1'`)).toBe(1)
  expect(await lanes.rows(first)).toHaveLength(1)
  expect(await lanes.rows(last)).toHaveLength(1)
  expect(
    await count(ground.database, 'poll_schedule WHERE background_check_id = $1 AND due_at <= now()', [broken]),
  ).toBe(1)
})

test('a feed that cannot be read leaves its orders to polls', async () => {
  const id = await placeToPoll()
  const vendor = scriptedVendor()
  vendor.changes = async () => ({ kind: 'retry', message: 'unreadable', status: 200, ambiguous: false })
  const { database, sealer, log } = ground
  const feed = startFeed({ database, sealer, vendor, log, terms, isOffered: () => true, onReady })
  started.push(feed)
  const due = `poll_schedule WHERE background_check_id = $1 AND due_at < now() + interval '1 minute'`
  await eventually(() => count(database, due, [id])).toBe(1)
  expect(feed.isFollowed()).toBe(false)
})

test('a poll that read an older state and settles behind the feed undoes nothing', async () => {
  const id = await placeToPoll()
  let answer: (order: VendorOrder) => void = () => undefined
  const reading = new Promise<VendorOrder>((resolve) => {
    answer = resolve
  })
  const vendor = scriptedVendor()
  vendor.script('get', async () => ok(await reading))
  const { database, sealer, log } = ground
  const common = { database, sealer, vendor, log, terms, onReady }
  started.push(startPoller({ ...common, concurrency: 2, leaseMs: 600_000, canBatch: () => false }))
  await pollNow(database.pool, id)
  await eventually(() => vendor.verbs()).toEqual(['get'])
  const older = saidOf(id, saying('in_progress', [stage('a')]))
  const newer = saidOf(id, saying('completed', [stage('a')]))
  await whileLaneIsHeld(id, async (waiting) => {
    follow([newer])
    await waiting(1)
    answer(older)
    await waiting(2)
  })
  await eventually(() => count(database, `vendor_feeds WHERE cursor = 'c-1'`)).toBe(1)
  await Promise.all(started.splice(0).map((each) => each.stop()))
  expect((await lanes.rows(id)).map((row) => [row.api, row.state])).toEqual([
    ['update_progress', 'pending'],
    ['update_result', 'pending'],
  ])
})

test('a page of the feed that is older than what a poll wrote down undoes nothing, and a poll has to say again', async () => {
  const id = await placeToPoll()
  const newer = saidOf(id, saying('completed', [stage('a'), stage('b'), stage('c')]))
  const { database, sealer } = ground
  const reading = { mayRecord: async () => true, isLatest: true }
  await database.transaction((sql) => recordVendorOrder(sql, sealer, id, newer, Date.now(), reading))
  const written = await lanes.rows(id)
  follow([saidOf(id, saying('in_progress', [stage('a')]))])
  await eventually(() => count(database, `vendor_feeds WHERE cursor = 'c-1'`)).toBe(1)
  expect(await lanes.rows(id)).toEqual(written)
  // One that is under way has read too early as well.
  expect(
    await count(database, 'poll_schedule WHERE background_check_id = $1 AND due_at <= now() AND fence = 1', [id]),
  ).toBe(1)
})

test.each([
  ['result', saying('completed', [stage('a')], 'A'), saying('completed', [stage('a')], 'B')],
  ['stage', saying('in_progress', [stage('a')]), saying('in_progress', [stage('a', { name: 'another' })])],
] as const)('nor does one that names an older %s: what the poll wrote waits as it is', async (_what, page, read) => {
  const id = await placeToPoll()
  await lanes.record(id, saidOf(id, read))
  const written = await lanes.rows(id)
  follow([saidOf(id, page)])
  const { database } = ground
  await eventually(() => count(database, `vendor_feeds WHERE cursor = 'c-1'`)).toBe(1)
  expect(await lanes.rows(id)).toEqual(written)
  const again = 'poll_schedule WHERE background_check_id = $1 AND due_at <= now() AND fence = 1 AND fingerprint IS NULL'
  expect(await count(database, again, [id])).toBe(1)
})

test('a page that differs from what was sent is no reason to call it changed: a poll has to say', async () => {
  const id = await placeToPoll()
  await lanes.record(id, saidOf(id, saying('completed', [], 'newer')))
  await lanes.settle(await lanes.claim(), delivered)
  follow([saidOf(id, saying('completed', [], 'older'))])
  const { database } = ground
  await eventually(() => count(database, `vendor_feeds WHERE cursor = 'c-1'`)).toBe(1)
  expect(await count(database, `orders WHERE background_check_id = $1 AND attention = '{}'`, [id])).toBe(1)
  expect(await count(database, 'poll_schedule WHERE background_check_id = $1 AND due_at <= now()', [id])).toBe(1)
})

test('a page that takes back what Feishu has of a completed order has it polled', async () => {
  const id = await lanes.place()
  await lanes.record(id, saidOf(id, saying('completed', [])))
  await lanes.settle(await lanes.claim(), delivered)
  follow([saidOf(id, saying('in_progress', []))])
  const { database } = ground
  await eventually(() => count(database, `vendor_feeds WHERE cursor = 'c-1'`)).toBe(1)
  expect(await count(database, 'poll_schedule WHERE background_check_id = $1 AND due_at <= now()', [id])).toBe(1)
})

/** Lets settlements queue up for an order's lane: `waiting` settles when so many stand there. */
async function whileLaneIsHeld(
  id: string,
  work: (waiting: (n: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const { pool } = ground.database
  await pool.query('INSERT INTO lanes (lane) VALUES ($1) ON CONFLICT DO NOTHING', [`order:${id}`])
  const client = await pool.connect()
  await client.query('BEGIN')
  await client.query('SELECT 1 FROM lanes WHERE lane = $1 FOR UPDATE', [`order:${id}`])
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  // Whoever stands behind somebody that stands behind us counts, too.
  const standing = `pg_stat_activity a WHERE query LIKE 'SELECT last_seq%FROM lanes%' AND wait_event_type = 'Lock'
    AND ($1 = ANY(pg_blocking_pids(pid)) OR EXISTS (
      SELECT 1 FROM unnest(pg_blocking_pids(a.pid)) b WHERE $1 = ANY(pg_blocking_pids(b))))`
  const waiting = async (n: number) => {
    await eventually(() => count(ground.database, standing, [rows[0]?.pid])).toBeGreaterThanOrEqual(n)
  }
  await work(waiting)
  await client.query('COMMIT')
  client.release()
}

/** A process that follows a feed which answers so, whatever the cursor; what it told of the feed as a whole. */
function followAnswers(answer: (cursor: string | null) => VendorAnswer<ChangedOrders>) {
  const seen = { cursors: [] as Array<string | null>, broken: [] as string[], found: 0, failures: [] as string[] }
  const vendor = scriptedVendor()
  vendor.changes = async (cursor) => {
    seen.cursors.push(cursor)
    return answer(cursor)
  }
  const { database, sealer, log } = ground
  const feed = startFeed({
    database,
    sealer,
    vendor,
    log,
    terms,
    isOffered: () => true,
    onReady,
    onBroken: async (reason) => void seen.broken.push(`${reason}, at call ${seen.cursors.length}`),
    onFound: async () => {
      seen.found += 1
    },
    onFailure: (name) => void seen.failures.push(name),
  })
  started.push(feed)
  return { seen, feed }
}

test('an entry that cannot be read harms only itself: the cursor goes on, and its order is polled by itself', async () => {
  const [first, odd, over] = [await placeToPoll(), await placeToPoll(), await lanes.place()]
  await lanes.record(over, saying('completed', []))
  await lanes.settle(await lanes.claim(), delivered)
  const { seen } = followAnswers((cursor) =>
    ok({
      expired: false,
      orders: cursor === null ? [saidOf(first, saying('in_progress', [stage('a')]))] : [],
      unreadable:
        cursor === null
          ? [
              { id: `V-${odd}`, complaint: 'status: expected one of' },
              { id: `V-${over}`, complaint: 'status: expected one of' },
              { id: null, complaint: 'order_id: expected string, got null' },
            ]
          : [],
      cursor: 'c-1',
      hasMore: false,
    }),
  )
  await eventually(() => count(ground.database, `vendor_feeds WHERE cursor = 'c-1'`)).toBe(1)
  expect(await lanes.rows(first)).toHaveLength(1)
  const due = 'poll_schedule WHERE background_check_id = $1 AND due_at <= now()'
  for (const id of [odd, over]) expect(await count(ground.database, due, [id])).toBe(1)
  expect(seen.failures).toEqual(['feed-order', 'feed-order', 'feed-order'])
  const told = ground.lines.filter((line) => line.includes('feed.order_unreadable'))
  expect(told).toHaveLength(3)
  expect(told[0]).toContain(`V-${odd}`)
})

test('pages that lead round in a circle are not followed for ever: orders are polled, and the feed is told to be lost', async () => {
  const id = await placeToPoll()
  const next: Record<string, string> = { '': 'a', a: 'b', b: 'c', c: 'a' }
  const { seen, feed } = followAnswers((cursor) =>
    ok({ expired: false, orders: [], cursor: next[cursor ?? ''] ?? 'end', hasMore: true }),
  )
  await eventually(() => seen.broken).toEqual([expect.stringContaining('has_more is true')])
  // Once round, and then the page that closes the circle, each time after a pause.
  expect(seen.cursors.slice(0, 8)).toEqual([null, 'a', 'b', 'c', 'c', 'c', 'c', 'c'])
  const soon = `poll_schedule WHERE background_check_id = $1 AND due_at < now() + interval '1 minute'`
  expect(await count(ground.database, soon, [id])).toBe(1)
  expect(feed.isFollowed()).toBe(false)
  next['c'] = 'd'
  next['d'] = 'e'
  await eventually(() => seen.found).toBe(2)
})

test('a feed is asked no sooner than the vendor said', async () => {
  const { seen } = followAnswers(() => ({
    kind: 'retry',
    message: 'GET /orders?changed_after=… answered 503',
    status: 503,
    retryAfterMs: 3_600_000,
    ambiguous: false,
  }))
  await eventually(() => seen.cursors).toEqual([null])
  for (let i = 0; i < 20; i += 1) {
    for (const each of started) if ('wake' in each) (each as { wake: () => void }).wake()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await count(ground.database, 'vendor_feeds')
  expect(seen.cursors).toEqual([null])
})

test('a vendor that cannot be called is no broken feed: its breaker says so', async () => {
  const lost = { kind: 'retry', message: 'no connection', ambiguous: false } as const
  const { seen } = followAnswers(() => (seen.cursors.length < 9 ? lost : { ...lost, status: 500 }))
  await eventually(() => seen.broken).toEqual(['no connection, at call 9'])
})
