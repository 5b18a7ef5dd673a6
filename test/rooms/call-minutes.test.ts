import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type CountedCall, countCalls } from '../../src/flow/outbox/call-minutes.js'
import type { Claim } from '../../src/flow/outbox/claim.js'
import { settleDeliveries } from '../../src/flow/outbox/settle.js'
import type { Settled, Settlement } from '../../src/flow/outbox/settlement.js'
import { countReads } from '../../src/flow/to-feishu/read-calls.js'
import { again, dead, delivered, handedBack, lanesOn, origin } from '../support/lane-room.js'
import { type Ground, layGround } from '../support/room.js'
import { saying, stage } from '../support/vendor-words.js'

let ground: Ground

beforeAll(async () => {
  ground = await layGround()
})

afterAll(() => ground.stop())

beforeEach(async () => {
  await ground.database.pool.query('TRUNCATE call_minutes, deliveries, lanes, orders, timeline, vendor_tasks')
})

const call: CountedCall = {
  appId: 'cli_a',
  tenantKey: 'tk_a',
  api: 'update_progress',
  msAgo: 0,
  delivered: true,
  limited: false,
}

async function minutes() {
  const { rows } = await ground.database.pool.query(
    `SELECT app_id, tenant_key, api, sum(calls)::int AS calls, sum(delivered)::int AS delivered, sum(limited)::int AS limited
     FROM call_minutes GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
  )
  return rows as Array<Record<string, unknown>>
}

/** Settles one claim of a stage as a pump does whose bucket is of the method `api`. */
async function settleOne(settled: Settled, made: { api: string; limited?: boolean; called?: boolean }) {
  const lanes = lanesOn(ground)
  await lanes.record(await lanes.place(), saying('in_progress', [stage('a')]))
  const [claim] = await lanes.claim()
  if (claim === undefined) throw new Error('nothing was due')
  const { api, limited = false, called = true } = made
  const settlement: Settlement = {
    ...{
      id: claim.id,
      lane: claim.lane,
      backgroundCheckId: claim.backgroundCheckId,
      fence: claim.fence,
      lastError: null,
    },
    callMsAgo: called ? 0 : null,
    call: { appId: 'cli_a', tenantKey: 'tk_a', api, limited },
    ...settled,
  }
  await settleDeliveries(ground.database, [settlement], { sealer: ground.sealer, keepers: [] })
}

test.each<[string, Settled, Parameters<typeof settleOne>[1], Record<string, number>]>([
  ['a yes', delivered, { api: 'update_progress' }, { calls: 1, delivered: 1, limited: 0 }],
  ['a refusal', dead, { api: 'update_progress' }, { calls: 1, delivered: 0, limited: 0 }],
  ['an answer that was lost', again, { api: 'update_progress' }, { calls: 1, delivered: 0, limited: 0 }],
  ['a 429', handedBack, { api: 'update_progress', limited: true }, { calls: 1, delivered: 0, limited: 1 }],
])('counts %s in the minute of its answer', async (_name, settled, made, counted) => {
  await settleOne(settled, made)
  expect(await minutes()).toEqual([{ app_id: 'cli_a', tenant_key: 'tk_a', api: 'update_progress', ...counted }])
})

test('counts a probe for the method that asks, not for the one of its delivery', async () => {
  await settleOne(delivered, { api: 'packages.batch_update' })
  expect(await minutes()).toMatchObject([{ api: 'packages.batch_update', calls: 1 }])
})

test('counts no call where none was made', async () => {
  await settleOne(handedBack, { api: 'update_progress', called: false })
  expect(await minutes()).toEqual([])
})

/** What the process that stood still writes down when it goes on. */
function lateYes({ id, fence, lane, backgroundCheckId }: Claim): Settlement {
  const made = { appId: origin.appId, tenantKey: origin.tenantKey, api: 'update_progress', limited: false }
  return { id, fence, lane, backgroundCheckId, lastError: null, callMsAgo: 0, call: made, ...delivered }
}

test('counts the call of a process that died in it, or stood still, once: when the delivery is claimed again', async () => {
  const lanes = lanesOn(ground)
  await lanes.record(await lanes.place(), saying('in_progress', [stage('a')]))
  const [first] = await lanes.claim()
  expect(await minutes()).toEqual([])
  await lanes.crash()
  expect(await lanes.claim()).toHaveLength(1)
  const of = { app_id: origin.appId, tenant_key: origin.tenantKey, api: 'update_progress' }
  const once = [{ ...of, calls: 1, delivered: 0, limited: 0 }]
  expect(await minutes()).toEqual(once)
  if (first) await settleDeliveries(ground.database, [lateYes(first)], { sealer: ground.sealer, keepers: [] })
  expect(await minutes()).toEqual(once)
})

test('adds what is settled together and one after the other to the same row, and keeps minutes apart', async () => {
  const { pool } = ground.database
  const hourAgo = { ...call, msAgo: 3_600_000 }
  // One transaction has one now(): no minute ends in between.
  await ground.database.transaction(async (sql) => {
    await countCalls(sql, [call, { ...call, delivered: false, limited: true }, hourAgo])
    await countCalls(sql, [hourAgo, { ...call, tenantKey: 'tk_b' }])
  })
  const { rows } = await pool.query<{ tenant_key: string; calls: number }>(
    'SELECT tenant_key, calls FROM call_minutes ORDER BY tenant_key, minute',
  )
  expect(rows).toEqual([
    { tenant_key: 'tk_a', calls: 2 },
    { tenant_key: 'tk_a', calls: 2 },
    { tenant_key: 'tk_b', calls: 1 },
  ])
})

test('two settlements of the same tenants never wait for each other in a circle', async () => {
  const tenants = Array.from({ length: 40 }, (_, index) => ({ ...call, tenantKey: `tk_${index}` }))
  const write = (calls: readonly CountedCall[]) => ground.database.transaction((sql) => countCalls(sql, calls))
  await Promise.all(Array.from({ length: 12 }, (_, turn) => write(turn % 2 === 0 ? tenants : tenants.toReversed())))
  expect((await minutes()).every((row) => row['calls'] === 12)).toBe(true)
})

test('reads are counted together, by what came of them', async () => {
  const outcomes: string[] = []
  const { database, log } = ground
  const reads = countReads({ database, log, onRead: (_api, outcome) => outcomes.push(outcome) })
  const read = { ...call, api: 'background_check_orders.batch_query' }
  reads.count(read, { kind: 'answer', httpStatus: 200, code: 0 })
  reads.count({ ...read, delivered: false, limited: true }, { kind: 'answer', httpStatus: 429, code: 99991400 })
  reads.count({ ...read, delivered: false }, { kind: 'lost', message: 'within 1000 ms' })
  reads.count({ ...read, delivered: false }, { kind: 'answer', httpStatus: 400, code: 1002002 })
  await reads.idle()
  expect(outcomes).toEqual(['answered', 'limited', 'lost', 'refused'])
  expect(await minutes()).toMatchObject([
    { api: 'background_check_orders.batch_query', calls: 4, delivered: 1, limited: 1 },
  ])
})
