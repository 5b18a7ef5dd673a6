import { afterEach, beforeEach, expect, test } from 'vitest'
import { startFeed } from '../../src/flow/orders/feed.js'
import { pollNow } from '../../src/flow/orders/nudge.js'
import { startPoller } from '../../src/flow/orders/poll.js'
import type { VendorOrder } from '../../src/flow/vendor/adapter.js'
import type { Started } from '../../src/platform/lifetime.js'
import { eventually } from '../support/eventually.js'
import { lanesOn } from '../support/lane-room.js'
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
