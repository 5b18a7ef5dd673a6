import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { OrderBody } from '../../src/flow/map.js'
import { keyOfOrder } from '../../src/flow/orders/keys.js'
import { contentOf } from '../../src/flow/orders/stages.js'
import { openBody } from '../../src/flow/outbox/bodies.js'
import type { Claim } from '../../src/flow/outbox/claim.js'
import { type LaneState, lockLane } from '../../src/flow/outbox/lanes.js'
import { putWaiting, readLane } from '../../src/flow/outbox/put.js'
import { reviveDelivery } from '../../src/flow/outbox/revive.js'
import type { Settled } from '../../src/flow/outbox/settlement.js'
import type { VendorOrder } from '../../src/flow/vendor/adapter.js'
import { openDatabase } from '../../src/platform/database/database.js'
import { eventually } from '../support/eventually.js'
import { again, type DeliveryRow, dead, delivered, handedBack, lanesOn, origin } from '../support/lane-room.js'
import { count, freshId, type Ground, layGround, one } from '../support/room.js'
import { at, report, saying, stage } from '../support/vendor-words.js'

let ground: Ground
let lanes: ReturnType<typeof lanesOn>

beforeAll(async () => {
  ground = await layGround()
  lanes = lanesOn(ground)
})

afterAll(() => ground.stop())

beforeEach(async () => {
  await ground.database.pool.query('TRUNCATE deliveries, lanes, orders, timeline, vendor_tasks, poll_schedule')
})

const stateOf = async (id: string) =>
  (await one<{ state: string }>(ground.database, 'SELECT state FROM orders WHERE background_check_id = $1', [id])).state
const attentionOf = async (id: string) =>
  (
    await one<{ attention: string[] }>(ground.database, 'SELECT attention FROM orders WHERE background_check_id = $1', [
      id,
    ])
  ).attention
const scansOf = async (index: string) =>
  (
    await one<{ n: number }>(
      ground.database,
      'SELECT idx_scan::int AS n FROM pg_stat_user_indexes WHERE schemaname = current_schema() AND indexrelname = $1',
      [index],
    )
  ).n
const statesOf = async (id: string) => (await lanes.rows(id)).map((row) => row.state)

type SealedRow = Pick<DeliveryRow, 'lane' | 'api' | 'body_sealed'>

async function contentOfRow({ lane, api, body_sealed }: SealedRow): Promise<OrderBody> {
  const id = lane.slice('order:'.length)
  const order = await one<{ data_key: Buffer }>(
    ground.database,
    'SELECT data_key FROM orders WHERE background_check_id = $1',
    [id],
  )
  return openBody(keyOfOrder(ground.sealer, id, order.data_key), lane, api, body_sealed)
}

const bodyOf = async (row: SealedRow) => (await contentOfRow(row)).body

describe('a lane', () => {
  test('lets its head be claimed, and the next one when the head is settled', async () => {
    const id = await lanes.place()
    const { buckets } = await lanes.record(id, saying('completed', [stage('a'), stage('b')]))
    expect(buckets).toHaveLength(1)
    const first = await lanes.claim()
    expect(first.map((claim) => claim.stageId)).toEqual(['a'])
    expect(first[0]).toMatchObject({ attempts: 0, ambiguous: false, othersWait: true, orderState: 'reported' })
    expect(await lanes.claim()).toEqual([])
    expect((await lanes.settle(first, delivered)).buckets).toHaveLength(1)
    expect((await lanes.claim()).map((claim) => claim.stageId)).toEqual(['b'])
  })

  test('that two make at once is held by one after the other', async () => {
    const lane = `order:${freshId()}`
    const { database } = ground
    let second: Promise<LaneState> | undefined
    await database.transaction(async (sql) => {
      const { rows } = await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      expect(await lockLane(sql, lane)).toEqual({ lastSeq: 0, closedBy: null, unsure: false })
      second = database.transaction((other) => lockLane(other, lane))
      const behindUs = 'pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))'
      await eventually(() => count(database, behindUs, [rows[0]?.pid])).toBe(1)
      await sql.query('UPDATE lanes SET last_seq = 5 WHERE lane = $1', [lane])
    })
    expect(await second).toMatchObject({ lastSeq: 5 })
  })

  test('is found by its name: what waits in all others is not gone through for it', async () => {
    const own = openDatabase({ url: ground.url, log: ground.log, connections: 1 })
    const alone = lanesOn(ground, own)
    const before = await scansOf('deliveries_by_state')
    const byLane = await scansOf('deliveries_lane_seq_idx')
    const id = await alone.place()
    await alone.record(id, saying('completed', [stage('a')]))
    await alone.settle(await alone.claim(), delivered)
    await alone.settle(await alone.claim(), delivered)
    // A session that ends has told all that it counted.
    await own.stop()
    await eventually(() => scansOf('deliveries_lane_seq_idx')).toBeGreaterThan(byLane)
    expect(await scansOf('deliveries_by_state')).toBe(before)
  })

  test('keeps its head through a retry, and nothing overtakes it', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a'), stage('b')]))
    await lanes.settle(await lanes.claim(), { to: 'pending', inMs: 3_600_000, attempt: 1, ambiguous: true })
    expect(await lanes.claim()).toEqual([])
    await lanes.ripen()
    expect(await lanes.claim()).toMatchObject([{ stageId: 'a', attempts: 1, ambiguous: true }])
  })

  test('does not age while it waits for a limit, a token or a look', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a')]))
    await lanes.settle(await lanes.claim(), { to: 'pending', inMs: 0, attempt: 1, ambiguous: false })
    const hour = 3_600_000
    await lanes.settle(await lanes.claim(), { to: 'pending', inMs: hour, attempt: 0, ambiguous: false })
    await ground.database.pool.query(
      `UPDATE deliveries SET first_attempt_at = first_attempt_at - interval '1 hour', due_at = now()`,
    )
    const [claim] = await lanes.claim()
    expect(claim?.ageMs).toBeLessThan(hour / 2)
  })

  test('goes on behind a dead delivery, and its order is flagged', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a'), stage('b')]))
    await lanes.settle(await lanes.claim(), dead)
    expect((await lanes.claim()).map((claim) => claim.stageId)).toEqual(['b'])
    expect(await attentionOf(id)).toEqual(['delivery_dead'])
  })

  test('a result that Feishu took completes the order and ends its polls; one that waits for approval does not', async () => {
    const [done, held] = [await lanes.place(), await lanes.place()]
    for (const id of [done, held]) {
      await ground.database.pool.query(
        'INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms) VALUES ($1, $2, 0)',
        [id, origin.tenantKey],
      )
      await lanes.record(id, saying('completed', []))
    }
    const claims = await lanes.claim()
    const of = (id: string) => claims.filter((claim) => claim.backgroundCheckId === id)
    await lanes.settle(of(done), delivered)
    await lanes.settle(of(held), { to: 'delivered', confirmed: true, heldForApproval: true })
    expect(await stateOf(done)).toBe('completed')
    expect(await stateOf(held)).toBe('reported')
  })

  test('a cancel that Feishu took ends the order', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('canceled', []))
    await lanes.settle(await lanes.claim(), delivered)
    await lanes.settle(await lanes.claim(), delivered)
    expect(await stateOf(id)).toBe('canceled')
    expect(await lanes.record(id, saying('in_progress', [stage('late')]))).toEqual({ buckets: [], ended: true })
    expect(await lanes.rows(id)).toHaveLength(2)
  })
})

describe('a fence that is old', () => {
  test('changes nothing: a claim that ran out was taken by somebody else', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a'), stage('b')]))
    const old = await lanes.claim()
    await lanes.crash()
    const young = await lanes.claim()
    expect(young).toMatchObject([{ stageId: 'a', ambiguous: true, attempts: 1 }])
    const before = await lanes.rows(id)
    for (const outcome of [delivered, again, handedBack, dead]) {
      expect((await lanes.settle(old, outcome)).settled).toEqual([])
    }
    expect(await lanes.rows(id)).toEqual(before)
    await lanes.settle(young, delivered)
    expect(await statesOf(id)).toEqual(['delivered', 'pending'])
  })

  test('nor does a settlement that comes twice', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a')]))
    const claims = await lanes.claim()
    await lanes.settle(claims, delivered)
    expect((await lanes.settle(claims, dead)).settled).toEqual([])
    expect(await statesOf(id)).toEqual(['delivered'])
  })
})

describe('a cancel', () => {
  test('supersedes all that waits, and what is handed back after it', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('completed', [stage('a'), stage('b')]))
    const claims = await lanes.claim()
    await lanes.cancel(id)
    expect(await statesOf(id)).toEqual(['sending', 'superseded', 'superseded'])
    await lanes.settle(claims, again)
    expect(await statesOf(id)).toEqual(['superseded', 'superseded', 'superseded'])
    expect(await lanes.claim()).toEqual([])
    expect((await lanes.rows(id)).filter((row) => row.due_at !== null)).toEqual([])
  })

  test('leaves the answer of what was under way as it is', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a')]))
    const claims = await lanes.claim()
    await lanes.cancel(id)
    await lanes.settle(claims, delivered)
    expect(await statesOf(id)).toEqual(['delivered'])
    expect(await stateOf(id)).toBe('canceled')
  })

  test('is not undone by a result that Feishu took meanwhile, and no poll fills the lane again', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('completed', []))
    const claims = await lanes.claim()
    await lanes.cancel(id)
    await lanes.settle(claims, delivered)
    expect(await stateOf(id)).toBe('canceled')
    await lanes.record(id, saying('completed', [stage('late')]))
    expect(await statesOf(id)).toEqual(['delivered'])
  })
})

describe('what had an attempt', () => {
  test('is not rewritten, also when the process died with it and its claim was handed back', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a')]))
    await lanes.claim()
    await lanes.crash()
    await lanes.settle(await lanes.claim(), handedBack, null)
    const [before] = await lanes.rows(id)
    await lanes.record(
      id,
      saying('in_progress', [stage('first'), stage('a', { name: 'changed', time: 1_767_400_000_000 })]),
    )
    const rows = await lanes.rows(id)
    expect(rows.map((row) => row.stage_id)).toEqual(['a', 'first'])
    expect(rows[0]).toMatchObject({ stage_time: before?.stage_time, body_sealed: before?.body_sealed })
    expect(await attentionOf(id)).toContain('changed_after_sent')
  })

  test('takes newer links for its next attempt', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a', { reports: [report('x', 'https://old.example')] })]))
    await lanes.settle(await lanes.claim(), again)
    await lanes.record(id, saying('in_progress', [stage('a', { reports: [report('x', 'https://new.example')] })]))
    const [row] = await lanes.rows(id)
    expect(JSON.stringify(row && (await bodyOf(row)))).toContain('new.example')
  })

  test('is not what waits for a limit: that is replaced by what the vendor says now', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a')]))
    await lanes.settle(await lanes.claim(), handedBack, null)
    await lanes.record(id, saying('in_progress', [stage('a', { name: 'better' })]))
    const [row] = await lanes.rows(id)
    expect(row && (await bodyOf(row))).toMatchObject({ stage_name: 'better' })
  })

  test('is not what Feishu refused before Hire saw it: that follows the vendor, and goes when the vendor takes it back', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('completed', [], 'first'))
    await lanes.settle(await lanes.claim(), handedBack, 5)
    await lanes.record(id, saying('completed', [], 'second'))
    const [row] = await lanes.rows(id)
    expect(row && (await bodyOf(row))).toMatchObject({ result: 'second' })
    await lanes.settle(await lanes.claim(), handedBack, 5)
    await lanes.record(id, saying('in_progress', []))
    expect(await statesOf(id)).toEqual(['superseded'])
    expect(await attentionOf(id)).toEqual([])
    expect(await lanes.claim()).toEqual([])
    await lanes.record(id, saying('completed', [], 'third'))
    const [claim] = await lanes.claim()
    const claimed = { lane: claim?.lane ?? '', api: 'update_result', body_sealed: claim?.bodySealed ?? Buffer.alloc(0) }
    expect(await bodyOf(claimed)).toMatchObject({ result: 'third' })
  })

  test.each([
    ['an answer of Hire', again, 5],
    ['a call without an answer', { ...again, ambiguous: true } as const, 5],
  ])('stays so when %s is followed by calls that Feishu refused before Hire', async (_what, tried, callMsAgo) => {
    const id = await lanes.place()
    await lanes.record(id, saying('completed', [], 'first'))
    await lanes.settle(await lanes.claim(), tried, callMsAgo)
    await lanes.settle(await lanes.claim(), handedBack, callMsAgo)
    await lanes.record(id, saying('in_progress', []))
    expect(await statesOf(id)).toEqual(['pending'])
    expect(await attentionOf(id)).toEqual(['changed_after_sent'])
  })

  test('stays so when its claim ran out, before and after another process has claimed it', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('completed', [], 'first'))
    await lanes.claim()
    await lanes.crash()
    await lanes.record(id, saying('in_progress', []))
    expect(await statesOf(id)).toEqual(['sending'])
    expect(await attentionOf(id)).toEqual(['changed_after_sent'])
    await lanes.settle(await lanes.claim(), handedBack, 5)
    await lanes.record(id, saying('completed', [], 'second'))
    const [row] = await lanes.rows(id)
    expect(row && (await bodyOf(row))).toMatchObject({ result: 'first' })
  })
})

describe('what is dead, and sent again by an operator', () => {
  const revive = (id: string | undefined) =>
    ground.database.transaction((sql) => reviveDelivery(sql, ground.sealer, [], String(id)))

  test.each([
    ['may have taken effect if nobody knows that it did not', 'unconfirmed', true],
    ['did not take effect if Feishu refused it', 'feishu', false],
  ] as const)('%s', async (_what, deadClass, ambiguous) => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a')]))
    await lanes.settle(await lanes.claim(), { to: 'dead', class: deadClass })
    expect(await revive((await lanes.rows(id))[0]?.id)).toMatchObject({ kind: 'revived' })
    expect(await lanes.claim()).toMatchObject([{ stageId: 'a', attempts: 0, ambiguous }])
  })

  interface Revivals {
    asked: string[]
    taken: string[]
    overtaken?: boolean
    polled?: boolean
    /** The first one is revived once before, and dies again without a call. */
    twice?: boolean
  }

  test.each<[string, Revivals]>([
    ['one after the other', { asked: ['a', 'b'], taken: ['a', 'b', 'c'] }],
    ['the later one first', { asked: ['b', 'a'], taken: ['a', 'b', 'c'] }],
    ['behind a stage that overtook them', { asked: ['a', 'b'], overtaken: true, taken: ['c', 'a', 'b'] }],
    ['the first one died twice', { asked: ['a', 'b'], twice: true, taken: ['a', 'b', 'c'] }],
    ['laid anew in between', { asked: ['a', 'b'], overtaken: true, polled: true, taken: ['c', 'a', 'b', 'd'] }],
  ])(
    'keeps the order of stages that Feishu never saw: %s',
    async (_what, { asked, overtaken, polled, twice, taken }) => {
      const id = await lanes.place()
      const said = ['a', 'b', 'c', 'd'].map((name, index) => stage(name, { time: at(index) }))
      await lanes.record(id, saying('in_progress', said.slice(0, 3)))
      const unsent: Settled = { to: 'dead', class: 'ours' }
      await lanes.settle(await lanes.claim(), unsent, null)
      await lanes.settle(await lanes.claim(), unsent, null)
      const sent: Claim[] = []
      const send = async () => {
        const claims = await lanes.claim()
        sent.push(...claims)
        await lanes.settle(claims, delivered)
        return claims.length
      }
      if (overtaken) await send()
      if (twice) {
        await revive((await lanes.rows(id))[0]?.id)
        await lanes.settle(await lanes.claim(), unsent, null)
      }
      for (const name of asked) {
        if (polled) await lanes.record(id, saying('in_progress', said))
        await revive((await lanes.rows(id)).find((row) => row.stage_id === name)?.id)
      }
      while ((await send()) > 0);
      expect(sent.map((claim) => claim.stageId)).toEqual(taken)
      const times = (await lanes.rows(id)).map((row) => Number(row.stage_time))
      expect(times).toEqual([...new Set(times)].toSorted((one, other) => one - other))
    },
  )

  test('keeps its content, though its attempts are counted anew and its next call comes to nothing', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a')]))
    await lanes.settle(await lanes.claim(), dead, 5)
    await revive((await lanes.rows(id))[0]?.id)
    await lanes.settle(await lanes.claim(), handedBack, 5)
    await lanes.record(id, saying('in_progress', [stage('a', { name: 'other' })]))
    const [row] = await lanes.rows(id)
    expect(row && (await bodyOf(row))).toMatchObject({ stage_name: 'stage a' })
    expect(await attentionOf(id)).toEqual(['changed_after_sent'])
  })

  test('has the links of the vendor’s latest answer', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a', { reports: [report('x', 'https://old.example')] })]))
    await lanes.settle(await lanes.claim(), dead, 5)
    await lanes.record(id, saying('in_progress', [stage('a', { reports: [report('x', 'https://new.example')] })]))
    await revive((await lanes.rows(id))[0]?.id)
    const [row] = await lanes.rows(id)
    expect(JSON.stringify(row && (await bodyOf(row)))).toContain('new.example')
  })

  test('is not a cancel that the vendor took back: the result goes instead, and the flag goes', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('canceled', []))
    await lanes.settle(await lanes.claim(), delivered)
    await lanes.settle(await lanes.claim(), { to: 'dead', class: 'ours' })
    expect(await attentionOf(id)).toEqual(['delivery_dead'])
    await lanes.record(id, saying('completed', []))
    expect(await statesOf(id)).toEqual(['delivered', 'superseded', 'pending'])
    expect(await attentionOf(id)).toEqual([])
    expect(await revive((await lanes.rows(id))[1]?.id)).toMatchObject({ kind: 'refused' })
    await lanes.settle(await lanes.claim(), delivered)
    expect(await stateOf(id)).toBe('completed')
  })

  test('keeps every time that Feishu may have it with, also under newer links, and sends the last', async () => {
    const id = await lanes.place()
    const said = (name: string) => [
      stage('a', { time: at(1), reports: [report('x', `https://${name}.example`)] }),
      stage('b', { time: at(2) }),
      stage('c', { time: at(3) }),
    ]
    await lanes.record(id, saying('in_progress', said('old')))
    await lanes.settle(await lanes.claim(), { to: 'dead', class: 'unconfirmed' })
    const first = (await lanes.rows(id)).find((row) => row.stage_id === 'a')
    await lanes.settle(await lanes.claim(), delivered)
    await revive(first?.id)
    await lanes.settle(await lanes.claim(), { to: 'dead', class: 'unconfirmed' })
    await lanes.settle(await lanes.claim(), delivered)
    await revive(first?.id)
    await lanes.record(id, saying('in_progress', said('new')))
    const row = (await lanes.rows(id)).find((each) => each.stage_id === 'a')
    expect(row && (await contentOfRow(row))).toEqual({
      api: 'update_progress',
      body: {
        background_check_id: id,
        stage_id: 'a',
        stage_name: 'stage a',
        stage_time: String(at(3) + 1),
        report_file_list: [{ report_name: 'x', report_url: 'https://new.example', report_url_type: 1 }],
      },
      earlierTimes: [String(at(1)), String(at(2) + 1)],
    })
  })
})

describe('a lane that is being laid anew', () => {
  test('cannot be claimed from before it is written', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a')]))
    const order = await one<{ data_key: Buffer }>(
      ground.database,
      'SELECT data_key FROM orders WHERE background_check_id = $1',
      [id],
    )
    await ground.database.transaction(async (sql) => {
      const state = await lockLane(sql, `order:${id}`)
      const lane = { backgroundCheckId: id, ...origin, key: keyOfOrder(ground.sealer, id, order.data_key), state }
      const [known] = await readLane(sql, lane)
      expect(await lanes.claim()).toEqual([])
      if (known?.content.api !== 'update_progress') throw new Error('expected the stage')
      const content = { ...known.content, body: { ...known.content.body, stage_name: 'better' } }
      await putWaiting(sql, lane, [{ id: known.id, content }], 0)
    })
    const [claim] = await lanes.claim()
    const row = { lane: claim?.lane ?? '', api: claim?.api ?? '', body_sealed: claim?.bodySealed ?? Buffer.alloc(0) }
    expect(await bodyOf(row)).toMatchObject({ stage_name: 'better' })
  })

  test('may take back a stage of our own and lay it again', async () => {
    const id = await lanes.place()
    for (let turn = 0; turn < 3; turn += 1) {
      await lanes.record(id, saying('canceled', [stage('a')]))
      await lanes.record(id, saying('in_progress', [stage('a')]))
    }
    await lanes.record(id, saying('canceled', [stage('a')]))
    const waiting = (await lanes.rows(id)).filter((row) => row.state === 'pending')
    expect(waiting.map((row) => row.stage_id ?? row.api)).toEqual(['a', 'terminated', 'cancel'])
  })
})

describe('whatever happens at once on several connections', () => {
  const ids = ['a', 'b', 'c', 'terminated']
  const anyVendor = fc
    .record({
      status: fc.constantFrom<VendorOrder['status'][]>('in_progress', 'in_progress', 'completed', 'canceled'),
      stages: fc.array(fc.record({ id: fc.constantFrom(...ids), name: fc.constantFrom('one', 'two') }), {
        maxLength: 4,
      }),
    })
    .map(({ status, stages }) =>
      saying(
        status,
        stages.map(({ id, name }) => stage(id, { name })),
      ),
    )
  const which = fc.nat(2)
  /** A call that Feishu refused before Hire saw it. */
  const limited: Settled = { ...handedBack }
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('record' as const), which, vendor: anyVendor }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('claim' as const) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('settle' as const),
        to: fc.constantFrom(delivered, delivered, again, handedBack, limited, dead),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which }) },
  )
  type Action = typeof action extends fc.Arbitrary<infer T> ? T : never

  test('lanes stay in order, one claim at a time, attempted content stays, and nothing deadlocks', {
    timeout: 180_000,
  }, async () => {
    const sides = [lanes, lanesOn(ground, ground.another()), lanesOn(ground, ground.another())]
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(action, { minLength: 1, maxLength: 5 }), { maxLength: 12 }),
        async (rounds) => {
          const run = await startRun()
          for (const round of rounds) {
            await Promise.all(round.map((each, index) => run.act(each, sides[index % sides.length] ?? lanes)))
            await run.check()
          }
          await run.finish()
        },
      ),
      { numRuns: 40 },
    )
  })

  async function startRun() {
    const orders = [await lanes.place(freshId()), await lanes.place(freshId()), await lanes.place(freshId())]
    const held: Claim[] = []
    /** With its delivery, since two sides may hear of their claims in another order than they were made. */
    const fences = new Set<string>()
    /** What Feishu may have seen, by delivery. */
    const attempted = new Map<string, string>()
    const accepted: Claim[] = []
    const canceled = new Set<string>()

    async function act(each: Action, side: typeof lanes): Promise<void> {
      if (each.do === 'record') await side.record(orders[each.which] ?? '', each.vendor)
      if (each.do === 'crash') await side.crash()
      if (each.do === 'claim') for (const claim of await side.claim(5)) await take(claim)
      if (each.do === 'cancel') {
        await side.cancel(orders[each.which] ?? '')
        canceled.add(orders[each.which] ?? '')
      }
      if (each.do === 'settle') await settle(side, each.to)
    }

    async function take(claim: Claim): Promise<void> {
      const handedOut = `${claim.id} ${claim.fence}`
      expect(fences).not.toContain(handedOut)
      fences.add(handedOut)
      held.push(claim)
    }

    async function settle(side: typeof lanes, to: Settled): Promise<void> {
      const claims = held.splice(0, 2)
      for (const claim of claims) if (to !== handedBack && to !== limited) await remember(claim)
      const { settled } = await side.settle(claims, to, to === handedBack ? null : 0)
      // A delivery may be in the batch twice, under an old claim and under a newer one.
      for (const row of settled) {
        const mine = claims.find((claim) => claim.id === row.id && claim.fence === row.fence)
        expect(mine).toBeDefined()
        if (mine && row.state === 'delivered') accepted.push(mine)
      }
    }

    async function remember(claim: Claim): Promise<void> {
      const body = await bodyOf({ lane: claim.lane, api: claim.api, body_sealed: claim.bodySealed ?? Buffer.alloc(0) })
      const text = contentOf(body) + ('stage_time' in body ? body.stage_time : '')
      expect(text).toBe(attempted.get(claim.id) ?? text)
      attempted.set(claim.id, text)
    }

    async function check(): Promise<void> {
      for (const id of orders) {
        const rows = await lanes.rows(id)
        const unsettled = rows.filter((row) => row.state === 'pending' || row.state === 'sending')
        const due = rows.filter((row) => row.due_at !== null)
        expect(due.map((row) => row.id)).toEqual(unsettled.slice(0, 1).map((row) => row.id))
        expect(unsettled.slice(1).every((row) => row.state === 'pending')).toBe(true)
        const live = rows.filter((row) => row.state !== 'superseded')
        const times = live.flatMap((row) => (row.stage_time === null ? [] : Number(row.stage_time)))
        expect(times).toEqual([...new Set(times)].toSorted((one_, other) => one_ - other))
        const ends = live.findIndex((row) => row.api !== 'update_progress')
        if (ends >= 0) expect(ends).toBe(live.length - 1)
        for (const row of rows) await checkContent(row)
        if (canceled.has(id)) {
          expect(rows.filter((row) => row.state === 'pending')).toEqual([])
          expect(await stateOf(id)).toBe('canceled')
        }
      }
    }

    async function checkContent(row: DeliveryRow): Promise<void> {
      const before = attempted.get(row.id)
      if (before === undefined) return
      const body = await bodyOf(row)
      expect(contentOf(body) + ('stage_time' in body ? body.stage_time : '')).toBe(before)
    }

    /** All that is left goes out: every lane comes to its end, each delivery accepted once. */
    async function finish(): Promise<void> {
      await lanes.crash()
      for (;;) {
        const claims = await lanes.claim()
        if (claims.length === 0) break
        for (const claim of claims) {
          await take(claim)
          await remember(claim)
        }
        held.splice(0)
        const { settled } = await lanes.settle(claims, delivered)
        expect(settled).toHaveLength(claims.length)
        accepted.push(...claims)
      }
      await check()
      for (const id of orders) {
        const left = (await lanes.rows(id)).filter((row) => row.state === 'pending' || row.state === 'sending')
        expect(left.map(({ seq, state, due_at, fence }) => ({ seq, state, due_at, fence }))).toEqual([])
        const mine = accepted.filter((claim) => claim.backgroundCheckId === id)
        expect(new Set(mine.map((claim) => claim.id)).size).toBe(mine.length)
        const stages = mine.flatMap((claim) => claim.stageId ?? [])
        expect(new Set(stages).size).toBe(stages.length)
      }
    }

    return { act, check, finish }
  }
})
