import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { vendorOrderChanged } from '../../src/flow/orders/nudge.js'
import { startPoller } from '../../src/flow/orders/poll.js'
import { type ClaimedOrder, createPollClaim } from '../../src/flow/orders/poll-claim.js'
import { settleChanged, settleFailure } from '../../src/flow/orders/poll-settle.js'
import { fingerprintOf } from '../../src/flow/orders/record.js'
import type { VendorOrder } from '../../src/flow/vendor/adapter.js'
import { archiveOn } from '../support/archive-room.js'
import { eventually } from '../support/eventually.js'
import { dead, delivered } from '../support/lane-room.js'
import { count, type Ground, layGround, one } from '../support/room.js'
import { final, held, lost, ok, type ScriptedVendor, scriptedVendor } from '../support/scripted-vendor.js'
import { report, saying, stage } from '../support/vendor-words.js'

let ground: Ground
let room: ReturnType<typeof archiveOn>

beforeAll(async () => {
  ground = await layGround()
  room = archiveOn(ground)
})

afterAll(() => ground.stop())

beforeEach(async () => {
  await ground.database.pool.query(
    'TRUNCATE deliveries, lanes, orders, order_contacts, timeline, vendor_tasks, poll_schedule, vendor_nudges',
  )
})

const notice = (id: string) => ground.database.transaction((sql) => vendorOrderChanged(sql, `V-${id}`))
const polls = (id: string) => count(ground.database, 'poll_schedule WHERE background_check_id = $1', [id])
const shown = (id: string) =>
  one(ground.database, 'SELECT state, attention FROM orders WHERE background_check_id = $1', [id])
const remembered = () => count(ground.database, 'vendor_nudges')

/** Of all orders, whenever they are due. */
async function claimPolls(): Promise<ClaimedOrder[]> {
  await ground.database.pool.query('UPDATE poll_schedule SET due_at = now() WHERE NOT claimed')
  return (await createPollClaim(ground.database)({ most: 2, among: 2, alone: 2, leaseMs: 600_000 })).rows
}

type Answer = Parameters<ScriptedVendor['script']>[1]

const saidOf = (id: string, order: VendorOrder) => ok({ ...order, orderId: `V-${id}` })

/** Polls at the longest interval, against what the vendor answers one after the other. */
function poll(...answers: Answer[]) {
  const vendor = scriptedVendor()
  vendor.script('get', ...answers)
  const terms = { minMs: 3_600_000, maxMs: 3_600_000 }
  const { database, sealer, log } = ground
  const common = { database, sealer, vendor, log, terms, onReady: () => undefined }
  return { vendor, poller: startPoller({ ...common, concurrency: 2, leaseMs: 600_000, canBatch: () => false }) }
}

const corrected: VendorOrder = saying('completed', [stage('a'), stage('b')], 'something was found after all')
const flagged = { state: 'completed', attention: ['changed_after_sent'] }

test('a result that the vendor corrects after Feishu took it is flagged, and the order is polled once', async () => {
  const id = await room.complete()
  expect(await polls(id)).toBe(0)
  expect(await notice(id)).toBe(true)
  const { vendor, poller } = poll(saidOf(id, corrected))
  await eventually(() => shown(id)).toEqual(flagged)
  await eventually(() => polls(id)).toBe(0)
  await poller.stop()
  expect(vendor.verbs()).toEqual(['get'])
  expect(await remembered()).toBe(0)
})

test('so is one that Feishu holds for approval', async () => {
  const id = await room.place()
  await room.record(id, saying('completed', []))
  await room.settle(await room.claim(), { ...delivered, heldForApproval: true })
  expect([await shown(id), await polls(id)]).toEqual([{ state: 'reported', attention: [] }, 0])
  expect(await notice(id)).toBe(true)
  const { vendor, poller } = poll(saidOf(id, saying('completed', [], 'something was found after all')))
  await eventually(() => shown(id)).toEqual({ ...flagged, state: 'reported' })
  await eventually(() => polls(id)).toBe(0)
  await poller.stop()
  expect(vendor.verbs()).toEqual(['get'])
})

test.each([
  ['knows the order no more', ok(null)],
  ['refuses to say', final],
] as const)('an order that is over is left alone, without a flag, when the vendor %s', async (_what, answer) => {
  const id = await room.complete()
  await notice(id)
  const { vendor, poller } = poll(answer)
  await eventually(() => vendor.verbs()).toEqual(['get'])
  await eventually(() => polls(id)).toBe(0)
  await poller.stop()
  expect(await shown(id)).toEqual({ state: 'completed', attention: [] })
  expect(await count(ground.database, `timeline WHERE kind IN ('unknown_to_vendor', 'poll_refused')`)).toBe(0)
})

test.each([
  ['says the same', (id: string) => saidOf(id, saying('completed', [stage('a'), stage('b')], 'canary-outcome'))],
  ['knows it no more', () => ok(null)],
  ['refuses to say', () => final],
] as const)('a notice that comes while the vendor is asked, which %s, has it asked again', async (_what, first) => {
  const id = await room.complete()
  await notice(id)
  const { vendor, poller } = poll(
    async () => {
      await notice(id)
      return first(id)
    },
    saidOf(id, corrected),
  )
  await eventually(() => shown(id)).toEqual(flagged)
  await eventually(() => polls(id)).toBe(0)
  await poller.stop()
  expect(vendor.verbs()).toEqual(['get', 'get'])
})

test('an order that is over is asked for ever less often while the vendor does not answer, and at last no more', async () => {
  const [over, open] = [await room.complete(), await room.place()]
  await notice(over)
  const { database, sealer, log } = ground
  const options = { database, sealer, log, terms: { minMs: 2000, maxMs: 3000 }, onReady: () => undefined }
  const seen: unknown[] = []
  for (const failure of [lost, lost, held, lost, lost]) {
    await settleFailure(options, await claimPolls(), failure)
    const left = 'SELECT interval_ms, claimed FROM poll_schedule WHERE background_check_id = $1'
    seen.push((await database.pool.query(left, [over])).rows[0])
  }
  const intervals = [2000, 3000, 3000].map((interval_ms) => ({ interval_ms, claimed: false }))
  expect(seen).toEqual([...intervals, undefined, undefined])
  expect([await polls(open), await shown(over)]).toEqual([1, { state: 'completed', attention: [] }])
})

test('an order whose result still waits for Feishu is polled on', async () => {
  const id = await room.place()
  await room.record(id, saying('completed', []))
  expect(await notice(id)).toBe(true)
  const { vendor, poller } = poll(ok(null))
  await eventually(() => shown(id)).toEqual({ state: 'reported', attention: ['unknown_to_vendor'] })
  await poller.stop()
  expect([vendor.verbs(), await polls(id)]).toEqual([['get'], 1])
})

test.each([
  ['before the poll began', async () => []],
  ['while a poll is under way', () => claimPolls()],
])('a notice that meets the call which brings the result, %s, is not lost with the polls', async (_what, begin) => {
  const id = await room.place()
  await room.record(id, saying('completed', [stage('a'), stage('b')], 'canary-outcome'))
  for (let calls = 0; calls < 2; calls += 1) await room.settle(await room.claim(), delivered)
  const claims = await room.claim()
  await begin()
  await notice(id)
  await ground.database.pool.query('UPDATE poll_schedule SET interval_ms = 3600000')
  await room.settle(claims, delivered)
  expect(await count(ground.database, 'poll_schedule WHERE interval_ms = 0')).toBe(1)
  const { poller } = poll(saidOf(id, corrected))
  await eventually(() => shown(id)).toEqual(flagged)
  await eventually(() => polls(id)).toBe(0)
  await poller.stop()
})

test('an order whose result is dead is asked for anew, since the vendor may have gone on', async () => {
  const id = await room.place()
  await room.record(id, saying('completed', []))
  const set = 'UPDATE poll_schedule SET fingerprint = $2 WHERE background_check_id = $1'
  await ground.database.pool.query(set, [id, fingerprintOf(saying('in_progress', [stage('a')]))])
  await room.settle(await room.claim(), dead)
  const afresh =
    'poll_schedule WHERE background_check_id = $1 AND due_at <= now() AND fingerprint IS NULL AND fence = 1'
  expect(await count(ground.database, afresh, [id])).toBe(1)
})

test.each([
  ['whose result Feishu took', false],
  ['whose result Feishu holds for approval', true],
])(
  'an order %s is not asked for until it is erased when the vendor answers for another',
  async (_what, heldForApproval) => {
    const id = await room.place()
    await room.record(id, saying('completed', []))
    await room.settle(await room.claim(), { ...delivered, heldForApproval })
    await notice(id)
    const { vendor, poller } = poll(saidOf(id, { ...corrected, backgroundCheckId: '1' }))
    await eventually(() => polls(id)).toBe(0)
    await poller.stop()
    expect(vendor.verbs()).toEqual(['get'])
    expect(await shown(id)).toMatchObject({ attention: ['foreign_order'] })
  },
)

test('what was noted of an answer is not noted again when only links differ', async () => {
  const id = await room.place()
  await room.record(id, saying('completed', []))
  await room.settle(await room.claim(), { to: 'dead', class: 'unconfirmed' })
  const { database, sealer, log } = ground
  const options = { database, sealer, log, terms: { minMs: 0, maxMs: 0 }, onReady: () => undefined }
  for (const url of ['https://a.example', 'https://b.example']) {
    const [claimed] = await claimPolls()
    if (claimed === undefined) throw new Error('nothing is to be polled')
    await settleChanged(options, claimed, saying('in_progress', [stage('a', { reports: [report('x', url)] })]))
  }
  const noted = `timeline WHERE background_check_id = $1 AND kind IN ('result_withdrawn_after_sent', 'stage_after_end')`
  expect(await count(database, noted, [id])).toBe(2)
})

test('a notice about an order that is canceled, erased or archived changes nothing about it', async () => {
  const canceled = await room.complete()
  await room.cancel(canceled)
  const erased = await room.complete()
  await room.erase(erased)
  const archived = await room.old()
  await room.archive()
  expect(await room.isArchived(archived)).toBe(true)
  for (const id of [canceled, erased]) expect(await notice(id)).toBe(false)
  expect(await remembered()).toBe(0)
  expect(await notice(archived)).toBe(false)
  expect(await count(ground.database, 'poll_schedule')).toBe(0)
  expect(await room.living(archived)).toBe(0)
})

test('an order that is erased while the notice comes is not polled', async () => {
  const id = await room.complete()
  const erasing = await ground.database.pool.connect()
  await erasing.query('BEGIN')
  await erasing.query(`UPDATE orders SET data_key = NULL, erased_at = now() WHERE background_check_id = $1`, [id])
  const noticed = notice(id)
  const waiting = `pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO poll_schedule%' AND datname = current_database()`
  await eventually(() => count(ground.database, waiting)).toBe(1)
  await erasing.query('COMMIT')
  erasing.release()
  expect(await noticed).toBe(false)
  expect(await polls(id)).toBe(0)
})
