import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startInboxWorker } from '../../src/flow/inbox/worker.js'
import { wantAgain } from '../../src/flow/orders/again.js'
import { createCanceling } from '../../src/flow/orders/cancel-at-vendor.js'
import { cancelByOperator } from '../../src/flow/orders/cancel-by-operator.js'
import { pollNow } from '../../src/flow/orders/nudge.js'
import { createPlacing } from '../../src/flow/orders/place.js'
import { startPoller } from '../../src/flow/orders/poll.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import { createResending } from '../../src/flow/orders/resend.js'
import { startTaskWorker } from '../../src/flow/orders/tasks.js'
import type { Settled } from '../../src/flow/outbox/settlement.js'
import { exportOrder } from '../../src/flow/personal-data/export.js'
import { setAside } from '../../src/flow/to-feishu/set-aside.js'
import type { VendorAnswer } from '../../src/flow/vendor/adapter.js'
import type { Started } from '../../src/platform/lifetime.js'
import { canary, type ErasureRoom, layErasureRoom, who } from '../support/erasure-room.js'
import { eventually } from '../support/eventually.js'
import { again, dead, delivered, handedBack, origin } from '../support/lane-room.js'
import { count, type Ground } from '../support/room.js'
import { final, lost, ok, refusedNow, scriptedVendor } from '../support/scripted-vendor.js'
import { report, saying, stage } from '../support/vendor-words.js'

let ground: Ground
let room: ErasureRoom['room']
let query: ErasureRoom['query']
let empty: ErasureRoom['empty']

beforeAll(async () => {
  ;({ ground, room, query, empty } = await layErasureRoom())
})

afterAll(() => ground.stop())

beforeEach(() => empty())

const none = () => undefined
const noGivingUp = () => Promise.reject(new Error('nothing may crash'))

/** Runs tasks of orders against a vendor that is answering while `meanwhile` happens. */
async function runTasks(
  verb: 'place' | 'get',
  answer: VendorAnswer<unknown>,
  meanwhile: () => Promise<unknown>,
  runs = 1,
) {
  const vendor = scriptedVendor()
  vendor.script(verb, async () => {
    await meanwhile()
    return answer
  })
  vendor.script('cancel', ok(null))
  let settled = 0
  const countRuns = (run: ReturnType<typeof createPlacing>): typeof run => {
    return (...call) => run(...call).finally(() => (settled += 1))
  }
  const common = { ...ground, vendor, random: () => 0 }
  const tasks = startTaskWorker({
    ...ground,
    concurrency: 4,
    leaseMs: 60_000,
    run: {
      bind: () => Promise.reject(new Error('nothing to bind')),
      place: countRuns(createPlacing({ ...common, onPlaced: none, onCancelWanted: none })),
      cancel: countRuns(createCanceling(common)),
      resend: countRuns(createResending({ ...common, onReady: none })),
    },
    giveUp: { bind: noGivingUp, place: noGivingUp, cancel: noGivingUp, resend: noGivingUp },
  })
  await eventually(() => settled).toBe(runs)
  await tasks.stop()
  return vendor
}

const crashes = () => ground.lines.filter((line) => /crash|failed/.test(line) && /"level":50/.test(line))

describe('an erasure while the order is being placed', () => {
  test.each([
    ['taken', ok({ orderId: 'V-9' })],
    ['lost', lost],
    ['refused for now', refusedNow],
    ['refused for good', final],
  ] as Array<[string, VendorAnswer<unknown>]>)(
    'whose answer is %s ends it, and nothing comes back',
    async (_what, answer) => {
      const id = await room.receive()
      const vendor = await runTasks('place', answer, () => room.erase(id))
      expect(vendor.verbs()).toEqual(['place'])
      expect(await room.order(id)).toMatchObject({
        state: 'canceled',
        vendor_order_id: null,
        data_key: null,
        failure: null,
      })
      for (const table of ['vendor_tasks', 'poll_schedule']) expect(await count(ground.database, table)).toBe(0)
      expect((await room.timeline(id)).map(({ kind }) => kind)).toEqual(['received', 'erased'])
      expect(await room.everything()).not.toContain(canary)
      expect(crashes()).toEqual([])
    },
  )

  test('after the customer stopped it has the vendor told all the same, without the reason', async () => {
    const id = await room.receive()
    const stopAndErase = async () => {
      await room.cancel(id)
      await room.erase(id, false)
    }
    const vendor = await runTasks('place', ok({ orderId: 'V-9' }), stopAndErase, 2)
    expect(vendor.calls).toMatchObject([{ verb: 'place' }, { verb: 'cancel', about: 'V-9', detail: '' }])
    expect(await count(ground.database, 'vendor_tasks')).toBe(0)
    expect(await count(ground.database, 'poll_schedule')).toBe(0)
    expect(await room.everything()).not.toContain(canary)
  })
})

describe('an erasure while a delivery is being sent', () => {
  test.each([
    ['taken', delivered, 'delivered'],
    ['to be tried again', again, 'superseded'],
    ['handed back', handedBack, 'superseded'],
    ['not known', { to: 'pending', inMs: 0, attempt: 1, ambiguous: true }, 'superseded'],
    ['refused', dead, 'superseded'],
  ] as Array<[string, Settled, string]>)('which is %s settles it, and nothing follows', async (_what, to, state) => {
    const id = await room.place()
    await room.record(id, saying('completed', [stage('a', { name: canary }), stage('b')]))
    const claims = await room.claim()
    expect(claims).toHaveLength(1)
    await room.erase(id)
    expect((await room.rows(id)).map((row) => row.state)).toEqual(['sending', 'superseded', 'superseded'])
    await room.settle(claims, to)
    const rows = await room.rows(id)
    expect(rows.map((row) => [row.state, row.due_at, row.body_sealed])).toEqual([
      [state, null, null],
      ['superseded', null, null],
      ['superseded', null, null],
    ])
    expect(await room.order(id)).toMatchObject({ state: 'canceled', attention: [], data_key: null })
    expect(await room.claim()).toEqual([])
    expect(await room.everything()).not.toContain(canary)
  })

  test.each([
    ['taken', delivered],
    ['to be tried again', again],
    ['refused', dead],
  ] as Array<[string, Settled]>)(
    'of an order that had ended, which is %s, leaves nothing that waits',
    async (_what, to) => {
      const id = await room.place()
      await room.record(id, saying('completed', []))
      const claims = await room.claim()
      await query(`UPDATE orders SET state = 'completed'`)
      await room.erase(id, false)
      await room.settle(claims, to)
      expect(await count(ground.database, `deliveries WHERE due_at IS NOT NULL OR state IN ('pending', 'dead')`)).toBe(
        0,
      )
      expect(await room.order(id)).toMatchObject({ state: 'completed', attention: [] })
    },
  )

  test.each(['in_progress', 'completed'])(
    'by a process that dies with it (%s): whoever claims it next sends nothing',
    async (state) => {
      const id = await room.place()
      await room.record(id, saying('in_progress', [stage('a')]))
      await room.claim()
      await query('UPDATE orders SET state = $1', [state])
      await room.erase(id)
      await room.crash()
      const claims = await room.claim()
      const [claim] = claims
      const bucket = { id: 1, appId: origin.appId, tenantKey: origin.tenantKey, api: 'update_progress', epoch: '' }
      const attempts = { canOpen: () => true } as unknown as Parameters<typeof setAside>[2]
      const settled: unknown[] = []
      const left = await setAside(claims, bucket, attempts, async (settlement) => {
        settled.push([settlement.id, settlement.to])
      })
      expect(left).toEqual([])
      expect(settled).toEqual([[claim?.id, 'superseded']])
    },
  )
})

describe('an erasure while the vendor is asked', () => {
  const answers: Array<[string, VendorAnswer<unknown>]> = [
    ['something new', ok({ ...saying('completed', [stage('a', { name: canary, reports: [report()] })]) })],
    ['that it knows no such order', ok(null)],
    ['nothing readable', { kind: 'retry', message: 'unreadable', status: 200, ambiguous: false }],
    ['no', final],
  ]
  test.each(answers)('who says %s, ends the poll and flags nothing', async (_what, answer) => {
    const id = await room.place()
    await pollNow(ground.database.pool, id)
    const vendor = scriptedVendor()
    vendor.script('get', async () => {
      await room.erase(id)
      return answer
    })
    let polled = 0
    const poller = startPoller({
      ...ground,
      vendor,
      concurrency: 2,
      leaseMs: 60_000,
      terms: { minMs: 10, maxMs: 10 },
      canBatch: () => false,
      onReady: () => expect.unreachable('nothing may be ready'),
      onPolled: () => (polled += 1),
    })
    await eventually(() => polled).toBe(1)
    await poller.stop()
    expect(vendor.verbs()).toEqual(['get'])
    expect(await room.order(id)).toMatchObject({ state: 'canceled', attention: [] })
    expect(await count(ground.database, 'poll_schedule')).toBe(0)
    expect(await count(ground.database, 'deliveries')).toBe(0)
    expect((await room.timeline(id)).at(-1)?.kind).toBe('erased')
    expect(await room.everything()).not.toContain(canary)
  })

  test.each([ok(saying('completed', [stage('a', { name: canary })])), lost])(
    'for what an operator wants sent again: it is not sent',
    async (answer) => {
      const id = await room.place()
      await room.record(id, saying('in_progress', [stage('a')]))
      await room.settle(await room.claim(), delivered)
      const wanted = { backgroundCheckId: id, stageId: 'a' }
      await ground.database.transaction((sql) => wantAgain(sql, ground.sealer, wanted))
      await runTasks('get', answer, () => room.erase(id))
      expect((await room.rows(id)).map((row) => row.state)).toEqual(['delivered'])
      expect(await count(ground.database, 'vendor_tasks')).toBe(0)
      expect(await room.everything()).not.toContain(canary)
      expect(crashes()).toEqual([])
    },
  )
})

/** Sessions that wait for the session with this id, or for one that waits for it. */
const behindSql = `
  WITH RECURSIVE behind AS (
    SELECT $1::int AS pid
    UNION
    SELECT a.pid FROM pg_stat_activity a JOIN behind b ON b.pid = ANY(pg_blocking_pids(a.pid))
  )
  SELECT count(*)::int - 1 AS n FROM behind`

describe('an erasure and an event that fails at the same moment', () => {
  test.each(['event first', 'erasure first'])('leave no payload, %s', async (order) => {
    const id = await room.receive()
    const started: Started[] = []
    const fail = async () => {
      const event = { event: { background_check_id: id, candidate_info: 'canary-misfit' } }
      await query(
        `INSERT INTO events (app_id, event_id, type, tenant_key, create_time, payload_sealed)
         VALUES ($1, $2, 'hire.eco_background_check.created_v1', $3, '1', $4)`,
        [
          origin.appId,
          order,
          origin.tenantKey,
          ground.sealer.seal(Buffer.from(JSON.stringify(event)), `event:${origin.appId}:${order}`),
        ],
      )
      started.push(startInboxWorker({ ...ground, onEffect: none }))
    }
    let erasing: Promise<unknown> = Promise.resolve()
    const erase = async () => {
      erasing = room.erase(id)
    }
    await ground.database.transaction(async (sql) => {
      await sql.query('SELECT 1 FROM orders WHERE background_check_id = $1 FOR UPDATE', [id])
      const { rows } = await sql.query('SELECT pg_backend_pid() AS pid')
      const behind = async () => (await query(behindSql, [rows[0].pid]))[0].n
      const steps = order === 'event first' ? [fail, erase] : [erase, fail]
      for (const [index, step] of steps.entries()) {
        await step()
        await eventually(behind).toBe(index + 1)
      }
    })
    await erasing
    await eventually(() => count(ground.database, `events WHERE state = 'failed'`)).toBe(1)
    await Promise.all(started.map((each) => each.stop()))
    expect(await count(ground.database, 'events WHERE payload_sealed IS NOT NULL')).toBe(0)
    expect(await query('SELECT background_check_id FROM events')).toEqual([{ background_check_id: id }])
  })
})

describe('an erasure and everything else at once', () => {
  test.each(Array.from({ length: 8 }, (_, index) => index))(
    'end without a deadlock, and with nothing left (%i)',
    async (turn) => {
      const ids = [await room.place(), await room.place(), await room.receive()]
      for (const id of ids.slice(0, 2)) await room.record(id, saying('in_progress', [stage('a', { name: canary })]))
      const { database, sealer } = ground
      const sendAndSettle = async () => room.settle(await room.claim(), turn % 2 === 0 ? delivered : again)
      const each = (id: string): Array<() => Promise<unknown>> => [
        () => room.erase(id),
        () => room.erase(id, false),
        () => room.cancel(id),
        () => room.record(id, saying('completed', [stage('a'), stage('b', { name: canary })])),
        () => database.transaction((sql) => receiveOrder(sql, sealer, origin, room.personal(id))),
        () => database.transaction((sql) => cancelByOperator(sql, sealer, id, { reason: canary })),
        () => database.transaction((sql) => wantAgain(sql, sealer, { backgroundCheckId: id, stageId: 'a' })),
        () => database.transaction((sql) => exportOrder(sql, sealer, id, who)),
        sendAndSettle,
      ]
      const all = ids.flatMap(each)
      // Another order of the same calls in each turn.
      const mixed = all.map((_, index) => all[(index * 7 + turn * 5) % all.length] ?? sendAndSettle)
      await Promise.all(mixed.map((call) => call()))
      await room.settle(await room.claim(), delivered)
      for (const id of ids) expect(await room.order(id)).toMatchObject({ data_key: null, payload_sealed: null })
      expect(await count(database, `deliveries WHERE due_at IS NOT NULL OR body_sealed IS NOT NULL`)).toBe(0)
      expect(await count(database, `vendor_tasks WHERE action <> 'cancel'`)).toBe(0)
      expect(await count(database, 'poll_schedule')).toBe(0)
      expect(await room.everything()).not.toContain(canary)
    },
  )
})
