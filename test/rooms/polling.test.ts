import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { pollNow } from '../../src/flow/orders/nudge.js'
import { type PollerOptions, startPoller } from '../../src/flow/orders/poll.js'
import { createPollClaim } from '../../src/flow/orders/poll-claim.js'
import { settleFailure, settleUnchanged, settleUnknown } from '../../src/flow/orders/poll-settle.js'
import type { VendorAdapter, VendorOrder } from '../../src/flow/vendor/adapter.js'
import { eventually } from '../support/eventually.js'
import { lanesOn } from '../support/lane-room.js'
import { explaining } from '../support/plans.js'
import { count, type Ground, layGround, one } from '../support/room.js'
import { ok, scriptedVendor } from '../support/scripted-vendor.js'
import { saying, stage } from '../support/vendor-words.js'
import { startVendor } from './vendor-peer.js'

const settled = 'poll_schedule WHERE NOT claimed AND background_check_id = ANY($1)'
const written = 'poll_schedule WHERE fingerprint IS NOT NULL AND background_check_id = ANY($1)'
let ground: Ground
let lanes: ReturnType<typeof lanesOn>

beforeAll(async () => {
  ground = await layGround()
  lanes = lanesOn(ground)
})

afterAll(() => ground.stop())

async function placeToPoll(): Promise<string> {
  const id = await lanes.place()
  await ground.database.pool.query(
    `INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms) VALUES ($1, 'tk_lane', 0)`,
    [id],
  )
  return id
}

function poll(answer: (ids: readonly string[]) => VendorOrder[]) {
  const vendor = scriptedVendor()
  vendor.getOrders = async (ids) => ok(answer(ids))
  vendor.script('get', (call) => ok(answer([call.about])[0] ?? null))
  return pollAt(vendor, true)
}

function pollAt(vendor: VendorAdapter, inBatches: boolean, more: Partial<PollerOptions> = {}) {
  const poller = startPoller({
    database: ground.database,
    sealer: ground.sealer,
    vendor,
    log: ground.log,
    terms: { minMs: 3_600_000, maxMs: 3_600_000 },
    concurrency: 2,
    leaseMs: 600_000,
    canBatch: () => inBatches,
    onReady: () => undefined,
    ...more,
  })
  onTestFinished(() => poller.stop())
  return poller
}

test('an order that cannot be written down costs none of its batch its poll', async () => {
  const ids = await Promise.all(Array.from({ length: 6 }, placeToPoll))
  const broken = ids[2] ?? ''
  await ground.database.pool.query(`UPDATE orders SET data_key = '\\x0900' WHERE background_check_id = $1`, [broken])
  const poller = poll((asked) => asked.map((orderId) => ({ ...saying('in_progress', [stage('a')]), orderId })))
  await eventually(() => count(ground.database, 'deliveries')).toBe(5)
  await poller.stop()
  expect(await lanes.rows(broken)).toEqual([])
  expect(await count(ground.database, settled, [ids])).toBe(5)
})

test.each([{ inBatches: false }, { inBatches: true }])(
  'a poll that somebody asked for while one runs is made right after it, in batches: $inBatches',
  async (mode) => {
    const id = await placeToPoll()
    const neighbour = await placeToPoll()
    let asked = 0
    let answer: () => void = () => undefined
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    const vendor = scriptedVendor()
    const say = async (about: string) => {
      if (about === `V-${id}`) asked += 1
      if (about === `V-${id}` && asked === 1) await answered
      return { ...saying('in_progress', []), orderId: about }
    }
    vendor.script('get', async ({ about }) => ok(await say(about)))
    vendor.getOrders = async (ids) => ok(await Promise.all(ids.map(say)))
    const poller = pollAt(vendor, mode.inBatches)
    await eventually(() => asked).toBe(1)
    expect(await pollNow(ground.database.pool, id)).toBe(true)
    answer()
    await eventually(() => asked).toBe(2)
    await poller.stop()
    expect(asked).toBe(2)
    expect(await count(ground.database, settled, [[id, neighbour]])).toBe(2)
  },
)

test('a poll that somebody asks for at the moment when one is settled is due at once', async () => {
  const ids = await Promise.all([placeToPoll(), placeToPoll(), placeToPoll()])
  const { pool } = ground.database
  const { rows } = await createPollClaim(ground.database)({ most: 3, among: 3, alone: 3, leaseMs: 600_000 })
  expect(rows.map((row) => row.id).sort()).toEqual(ids.sort())
  const asking = await pool.connect()
  await asking.query('BEGIN')
  await pollNow(asking, ids[1] ?? '')
  const terms = { minMs: 3_600_000, maxMs: 3_600_000 }
  const { database, sealer, log } = ground
  const settling = settleUnchanged({ database, sealer, log, terms, onReady: () => undefined }, rows)
  const held = `pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%UPDATE poll_schedule%' AND datname = current_database()`
  await eventually(() => count(database, held)).toBe(1)
  await asking.query('COMMIT')
  asking.release()
  await settling
  expect(await count(database, settled, [ids])).toBe(3)
  const due = 'poll_schedule WHERE due_at <= now() AND NOT nudged AND background_check_id = ANY($1)'
  expect(await count(database, due, [ids])).toBe(1)
  expect(await count(database, due, [[ids[1]]])).toBe(1)
  await pool.query('DELETE FROM poll_schedule WHERE background_check_id = ANY($1)', [ids])
})

test.each([
  { what: 'does not know the order', flags: 'unknown_to_vendor' },
  { what: 'refuses to say', flags: 'poll_refused' },
] as const)('that the vendor $what is no matter once something newer was brought', async ({ flags }) => {
  const [overtaken, asked] = [await placeToPoll(), await placeToPoll()]
  const { database, sealer, log } = ground
  const { rows } = await createPollClaim(database)({ most: 9, among: 9, alone: 9, leaseMs: 600_000 })
  await database.pool.query('UPDATE poll_schedule SET fence = fence + 1 WHERE background_check_id = $1', [overtaken])
  const options = { database, sealer, log, terms: { minMs: 1, maxMs: 1 }, onReady: () => undefined }
  if (flags === 'poll_refused') await settleFailure(options, rows, { kind: 'final', message: 'no' })
  else for (const row of rows) await settleUnknown(options, row)
  const flagged = 'orders WHERE background_check_id = $1 AND attention = $2'
  expect(await count(database, flagged, [asked, [flags]])).toBe(1)
  expect(await count(database, flagged, [overtaken, []])).toBe(1)
  const told = 'timeline WHERE background_check_id = $1 AND kind = $2'
  expect(await count(database, told, [asked, flags])).toBe(1)
  expect(await count(database, told, [overtaken, flags])).toBe(0)
  await database.pool.query('DELETE FROM poll_schedule')
})

test('a settlement reads its own rows only, though none was claimed when PostgreSQL last counted', async () => {
  const { pool } = ground.database
  await pool.query(
    `INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms) SELECT n::text, 'tk_lane', 0 FROM generate_series(1, 3000) n`,
  )
  await pool.query('ANALYZE poll_schedule')
  const claim = createPollClaim(ground.database)
  const { rows } = await claim({ most: 400, among: 400, alone: 400, leaseMs: 600_000 })
  expect(rows).toHaveLength(400)
  const { sealer, log } = ground
  const explained = explaining(pool)
  const database = { ...ground.database, pool: explained.pool }
  const terms = { minMs: 3_600_000, maxMs: 3_600_000 }
  await settleUnchanged({ database, sealer, log, terms, onReady: () => undefined }, rows)
  expect(explained.counted.unwanted).toBe(0)
  expect(await count(ground.database, 'poll_schedule WHERE claimed')).toBe(0)
  await pool.query('DELETE FROM poll_schedule')
})

test('an order that ended at Feishu is not asked for any more', async () => {
  const id = await placeToPoll()
  await lanes.cancel(id)
  expect(await count(ground.database, 'poll_schedule WHERE background_check_id = $1', [id])).toBe(0)
  expect(await pollNow(ground.database.pool, id)).toBe(false)
  expect(await one(ground.database, 'SELECT state FROM orders WHERE background_check_id = $1', [id])).toEqual({
    state: 'canceled',
  })
})

test('a vendor without the list it offers is asked for each order, however long all of them take together', async () => {
  await ground.database.pool.query('DELETE FROM poll_schedule')
  const ids = await Promise.all(Array.from({ length: 40 }, placeToPoll))
  const { vendor } = await startVendor((request, response) => {
    poller.wake()
    if (request.path.includes('ids=')) return response.writeHead(404).end()
    const said = { order_id: request.path.split('/').at(-1), status: 'pending', stages: [] }
    return setTimeout(() => response.end(JSON.stringify(said)), 20)
  })
  const poller = pollAt(vendor, true, { leaseMs: 400, concurrency: 8 })
  await eventually(() => count(ground.database, written, [ids])).toBe(40)
  await poller.stop()
})

test('orders that are asked for one by one are left to another claim when their own is over', async () => {
  await ground.database.pool.query('DELETE FROM poll_schedule')
  const ids = await Promise.all(Array.from({ length: 4 }, placeToPoll))
  const vendor = scriptedVendor()
  const asked: string[] = []
  vendor.getOrders = async () => {
    asked.push('all')
    return { kind: 'retry', message: 'no list', status: 404, ambiguous: false }
  }
  vendor.script('get', ({ about }) => {
    asked.push('one')
    return ok({ ...saying('pending', []), orderId: about })
  })
  // Over before the first answer: each claim asks for one, and nobody else claims meanwhile.
  const poller = pollAt(vendor, true, { leaseMs: 1, concurrency: 1 })
  await eventually(() => {
    poller.wake()
    return count(ground.database, written, [ids])
  }).toBe(4)
  await poller.stop()
  expect(asked).toEqual(['all', 'one', 'all', 'one', 'all', 'one', 'one'])
})
