import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Again, resultAgain, wantAgain } from '../../src/flow/orders/again.js'
import { cancelByOperator } from '../../src/flow/orders/cancel-by-operator.js'
import { createPlacing } from '../../src/flow/orders/place.js'
import { createResending } from '../../src/flow/orders/resend.js'
import type { VendorTask } from '../../src/flow/orders/tasks.js'
import { markApproved, markHeld } from '../../src/flow/outbox/approval.js'
import { openBody } from '../../src/flow/outbox/bodies.js'
import type { Claim } from '../../src/flow/outbox/claim.js'
import type { Settled } from '../../src/flow/outbox/settlement.js'
import type { VendorOrder } from '../../src/flow/vendor/adapter.js'
import { openDataKey } from '../../src/platform/crypto/data-key.js'
import { again, dead, delivered, handedBack, lanesOn } from '../support/lane-room.js'
import { freshId, type Ground, layGround, one } from '../support/room.js'
import { final, lost, ok, type ScriptedVendor, scriptedVendor } from '../support/scripted-vendor.js'
import { saying, stage } from '../support/vendor-words.js'

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

const lostAnswer: Settled = { to: 'pending', inMs: 0, attempt: 1, ambiguous: true }
const orderOf = (id: string) =>
  one<{ state: string; attention: string[] }>(
    ground.database,
    'SELECT state, attention FROM orders WHERE background_check_id = $1',
    [id],
  )
const told = async (id: string) => (await lanes.rows(id)).map((row) => [row.stage_id ?? row.api, row.state])
const stop = (id: string, database = ground.database) =>
  database.transaction((sql) => cancelByOperator(sql, ground.sealer, id, {}))
const want = (wanted: Again, database = ground.database) =>
  database.transaction((sql) => wantAgain(sql, ground.sealer, wanted))
const kindsOf = async (id: string) =>
  (
    await ground.database.pool.query('SELECT kind FROM timeline WHERE background_check_id = $1 ORDER BY id', [id])
  ).rows.map((row) => row.kind)

/** The bodies in an order's lane, opened. */
async function saidIn(id: string) {
  const { sealer } = ground
  const order = await one<{ data_key: Buffer }>(
    ground.database,
    'SELECT data_key FROM orders WHERE background_check_id = $1',
    [id],
  )
  const key = openDataKey(sealer, id, order.data_key)
  return (await lanes.rows(id)).map((row) => openBody(key, row.lane, row.api, row.body_sealed).body)
}

/** Runs the resends that are wanted, against what the vendor answers. */
async function resend(...answers: Parameters<ReturnType<typeof scriptedVendor>['script']>[1][]): Promise<void> {
  const vendor = scriptedVendor()
  vendor.script('get', ...answers)
  const run = createResending({ ...ground, vendor, random: () => 0, onReady: () => undefined })
  const { rows } = await ground.database.pool.query(
    `UPDATE vendor_tasks SET fence = fence + 1, claimed = true WHERE action = 'resend' RETURNING *`,
  )
  for (const row of rows) {
    const task: VendorTask = {
      subject: row.subject,
      id: row.subject.slice('resend:'.length),
      action: 'resend',
      tenantKey: row.tenant_key,
      fence: row.fence,
      attempts: row.attempts,
      ageMs: 0,
      ambiguousAt: null,
      reasonSealed: null,
    }
    await run(task, new AbortController().signal)
  }
}

/** Everything that waits goes out. */
async function drain(): Promise<void> {
  for (;;) {
    const claims = await lanes.claim()
    if (claims.length === 0) return
    await lanes.settle(claims, delivered)
  }
}

describe('an order that an operator stops', () => {
  test('keeps a result that Feishu may have, and is completed if it has', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('completed', []))
    await lanes.settle(await lanes.claim(), lostAnswer)
    await stop(id)
    expect(await told(id)).toEqual([
      ['update_result', 'pending'],
      ['terminated', 'pending'],
      ['cancel', 'pending'],
    ])
    await lanes.settle(await lanes.claim(), delivered)
    expect((await lanes.rows(id)).map((row) => row.state)).toEqual(['delivered', 'superseded', 'superseded'])
    expect(await orderOf(id)).toMatchObject({ state: 'completed' })
    expect(await lanes.claim()).toEqual([])
  })

  test.each([
    ['was not taken for now', again, ['superseded', 'pending', 'pending']],
    ['was handed back', handedBack, ['superseded', 'pending', 'pending']],
    ['may have been taken', lostAnswer, ['pending', 'pending', 'pending']],
    ['is dead', dead, ['dead', 'pending', 'pending']],
    ['is held for approval', { ...delivered, heldForApproval: true }, ['delivered', 'superseded', 'superseded']],
  ] as Array<[string, Settled, string[]]>)('while its result is being sent, which %s', async (_what, to, states) => {
    const id = await lanes.place()
    await lanes.record(id, saying('completed', []))
    const claims = await lanes.claim()
    await stop(id)
    await lanes.settle(claims, to)
    expect((await lanes.rows(id)).map((row) => row.state)).toEqual(states)
    expect((await lanes.rows(id)).filter((row) => row.due_at !== null)).toHaveLength(states.includes('pending') ? 1 : 0)
    await drain()
    const ended = states.includes('superseded') && states[0] === 'superseded' ? 'canceled' : expect.any(String)
    expect((await orderOf(id)).state).toEqual(ended)
  })

  test('hears nothing of the vendor any more, and a later last stage than all before', async () => {
    const id = await lanes.place()
    const ahead = Date.now() + 3_600_000
    await lanes.record(id, saying('in_progress', [stage('a', { time: ahead })]))
    await lanes.settle(await lanes.claim(), delivered)
    await stop(id)
    expect(await lanes.record(id, saying('completed', [stage('late')]))).toEqual({ buckets: [], ended: true })
    const rows = await lanes.rows(id)
    expect(rows.map((row) => row.stage_id ?? row.api)).toEqual(['a', 'terminated', 'cancel'])
    expect(Number(rows[1]?.stage_time)).toBe(ahead + 1)
  })

  test('says so once: not behind a stage of the vendor that says it, and in place of the vendor’s cancel', async () => {
    const [said, stopped] = [await lanes.place(), await lanes.place()]
    await lanes.record(said, saying('in_progress', [stage('end', { name: '已终止' })]))
    await lanes.record(stopped, saying('canceled', []))
    await lanes.settle(await lanes.claim(), delivered)
    await stop(said)
    await stop(stopped)
    expect(await told(said)).toEqual([
      ['end', 'delivered'],
      ['cancel', 'pending'],
    ])
    expect(await told(stopped)).toEqual([
      ['terminated', 'delivered'],
      ['cancel', 'superseded'],
      ['cancel', 'pending'],
    ])
    expect((await ground.database.pool.query('SELECT subject FROM vendor_tasks')).rows).toEqual([
      { subject: `order:${said}` },
    ])
  })

  test('leaves a cancel of the vendor that is being sent as it is', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('canceled', [stage('end', { name: '已终止' })]))
    await lanes.settle(await lanes.claim(), delivered)
    const claims = await lanes.claim()
    expect(await stop(id)).toEqual({ kind: 'waits' })
    await lanes.settle(claims, delivered)
    expect(await told(id)).toEqual([
      ['end', 'delivered'],
      ['cancel', 'delivered'],
    ])
  })
})

describe('an order that is stopped while it is being placed', () => {
  const tasksOf = async (id: string) =>
    (await ground.database.pool.query('SELECT action, claimed FROM vendor_tasks WHERE subject = $1', [`order:${id}`]))
      .rows

  /** A claim of its placing, run when the test says so. */
  async function claimPlacing(id: string, vendor: ScriptedVendor): Promise<() => Promise<void>> {
    const place = createPlacing({ ...ground, vendor, onPlaced: () => undefined, onCancelWanted: () => undefined })
    const { fence } = await one<{ fence: number }>(
      ground.database,
      'UPDATE vendor_tasks SET claimed = true, fence = fence + 1 WHERE subject = $1 RETURNING fence',
      [`order:${id}`],
    )
    const task: VendorTask = {
      ...{ subject: `order:${id}`, id, action: 'place', tenantKey: 'tk_lane', fence, attempts: 0 },
      ...{ ageMs: 0, ambiguousAt: null, reasonSealed: null },
    }
    return () => place(task, new AbortController().signal)
  }

  test('is not placed by a claim that has not called yet', async () => {
    const id = await lanes.receive()
    const vendor = scriptedVendor()
    const run = await claimPlacing(id, vendor)
    await stop(id)
    await run()
    expect(vendor.calls).toEqual([])
    expect(await tasksOf(id)).toEqual([{ action: 'cancel', claimed: false }])
  })

  test('is canceled at the vendor when the call comes back, and not polled', async () => {
    const id = await lanes.receive()
    const vendor = scriptedVendor()
    vendor.script('place', () => stop(id).then(() => ok({ orderId: 'V-7' })))
    await (await claimPlacing(id, vendor))()
    expect(await tasksOf(id)).toEqual([{ action: 'cancel', claimed: false }])
    expect((await ground.database.pool.query('SELECT 1 FROM poll_schedule')).rowCount).toBe(0)
    expect((await orderOf(id)).state).toBe('ordered')
  })

  test('does not fail, nor is anything canceled, when the vendor answers the number of another check', async () => {
    const other = await lanes.place()
    const id = await lanes.receive()
    const vendor = scriptedVendor()
    vendor.script('place', () => stop(id).then(() => ok({ orderId: `V-${other}` })))
    await (await claimPlacing(id, vendor))()
    expect(await tasksOf(id)).toEqual([])
    expect(await orderOf(id)).toEqual({ state: 'received', attention: [] })
  })
})

describe('what is sent again', () => {
  test('waits for the vendor, and is what was sent last where the vendor will never say it', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('completed', []))
    await drain()
    await want(resultAgain(id))
    await resend(lost)
    expect(await told(id)).toHaveLength(1)
    await resend(final)
    expect(await told(id)).toEqual([
      ['update_result', 'delivered'],
      ['update_result', 'pending'],
    ])
    const [claim] = await lanes.claim()
    expect(claim).toMatchObject({ api: 'update_result', again: true, orderState: 'completed' })
  })

  test('follows the vendor until its first attempt, and no poll or feed takes it away', async () => {
    const id = await lanes.place()
    const first = saying('completed', [stage('a')])
    await lanes.record(id, first)
    await drain()
    await want(resultAgain(id))
    await resend(ok(first))
    await lanes.record(id, saying('completed', [stage('a')], 'better'))
    await lanes.record(id, saying('in_progress', [stage('a')]))
    // Feishu has the first one, which the vendor has just taken back.
    expect((await orderOf(id)).attention).toEqual(['changed_after_sent'])
    await ground.database.pool.query(`UPDATE orders SET attention = '{}' WHERE background_check_id = $1`, [id])
    const [claim, ...others] = await lanes.claim()
    expect([claim?.api, others]).toEqual(['update_result', []])
    await lanes.settle(claim ? [claim] : [], delivered)
    await lanes.record(id, saying('completed', [stage('a')], 'better'))
    expect(await orderOf(id)).toEqual({ state: 'completed', attention: [] })
    await lanes.record(id, saying('completed', [stage('a')], 'best'))
    expect(await orderOf(id)).toEqual({ state: 'completed', attention: ['changed_after_sent'] })
  })

  test('goes before a result that waits, behind the stages that wait, and keeps the flag of what still differs', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a'), stage('b')]))
    await drain()
    const now = saying('completed', [stage('a', { name: 'A' }), stage('b', { name: 'B' }), stage('c')])
    await lanes.record(id, now)
    expect((await orderOf(id)).attention).toEqual(['changed_after_sent'])
    await want({ backgroundCheckId: id, stageId: 'a' })
    await resend(ok(now))
    expect((await told(id)).slice(2)).toEqual([
      ['a-2', 'pending'],
      ['c', 'pending'],
      ['update_result', 'pending'],
    ])
    const times = (await lanes.rows(id)).flatMap((row) => (row.stage_time === null ? [] : Number(row.stage_time)))
    expect(times).toEqual([...new Set(times)].toSorted((one_, other) => one_ - other))
    expect((await orderOf(id)).attention).toEqual(['changed_after_sent'])
    await want({ backgroundCheckId: id, stageId: 'b' })
    await resend(ok(now))
    expect((await orderOf(id)).attention).toEqual([])
    await drain()
    expect((await told(id)).map(([name]) => name)).toEqual(['a', 'b', 'a-2', 'b-2', 'c', 'update_result'])
  })

  test('takes an id that neither side has', async () => {
    const id = await lanes.place()
    const long = 'x'.repeat(36)
    const now = saying('in_progress', [stage(long), stage('a')])
    await lanes.record(id, now)
    await drain()
    await want({ backgroundCheckId: id, stageId: long })
    await want({ backgroundCheckId: id, stageId: 'a' })
    await resend(ok(saying('in_progress', [...now.stages, stage('a-2')])))
    const names = (await told(id)).map(([name]) => name)
    expect(names).toEqual(expect.arrayContaining([`${'x'.repeat(34)}-2`, 'a-3', 'a-2']))
    expect(new Set(names).size).toBe(names.length)
    await drain()
    const later = saying('in_progress', [...now.stages, stage('a-2'), stage('a-3', { name: 'the vendor’s own' })])
    for (const _twice of [1, 2]) await lanes.record(id, later)
    expect((await told(id)).slice(names.length)).toEqual([[expect.stringMatching(/^[0-9a-f]{32}$/), 'pending']])
    expect(await orderOf(id)).toEqual({ state: 'in_progress', attention: [] })
  })

  test('undoes nothing that was written down while the vendor was asked, and a poll has to say again', async () => {
    const id = await lanes.place()
    const older = saying('in_progress', [stage('a')])
    await lanes.record(id, older)
    await drain()
    await ground.database.pool.query(
      `INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms, due_at, claimed, fence, fingerprint)
       VALUES ($1, 'tk_lane', 0, now() + interval '1 hour', true, 4, '\\x00')`,
      [id],
    )
    await want({ backgroundCheckId: id, stageId: 'a' })
    await resend(async () => {
      await lanes.record(id, saying('completed', [stage('a'), stage('b')]))
      return ok(older)
    })
    expect(await told(id)).toEqual([
      ['a', 'delivered'],
      ['b', 'pending'],
      ['a-2', 'pending'],
      ['update_result', 'pending'],
    ])
    const { rows } = await ground.database.pool.query(
      `SELECT claimed, fence, fingerprint, due_at <= now() AS due FROM poll_schedule WHERE background_check_id = $1`,
      [id],
    )
    expect(rows).toEqual([{ claimed: false, fence: 5, fingerprint: null, due: true }])
  })

  test('says what the vendor says now, and leaves a newer result alone that was written down while the vendor was asked', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a')]))
    await drain()
    await ground.database.pool.query(
      `INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms, due_at)
       VALUES ($1, 'tk_lane', 0, now() + interval '1 hour')`,
      [id],
    )
    const renamed = stage('a', { name: 'A' })
    await lanes.record(id, saying('completed', [renamed], 'first'))
    await want({ backgroundCheckId: id, stageId: 'a' })
    await resend(async () => {
      await lanes.record(id, saying('completed', [renamed], 'second'))
      return ok(saying('completed', [renamed], 'first'))
    })
    expect(await told(id)).toEqual([
      ['a', 'delivered'],
      ['a-2', 'pending'],
      ['update_result', 'pending'],
    ])
    expect(await saidIn(id)).toMatchObject([{ stage_name: 'stage a' }, { stage_name: 'A' }, { result: 'second' }])
    expect(await orderOf(id)).toEqual({ state: 'reported', attention: [] })
    const due = await ground.database.pool.query('SELECT 1 FROM poll_schedule WHERE due_at <= now()')
    expect(due.rowCount).toBe(1)
  })

  test('replaces what is dead of it, and its flag', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('completed', []))
    await lanes.settle(await lanes.claim(), dead)
    expect(await orderOf(id)).toEqual({ state: 'reported', attention: ['delivery_dead'] })
    await want(resultAgain(id))
    await resend(ok(saying('completed', [], 'mended')))
    expect(await told(id)).toEqual([
      ['update_result', 'superseded'],
      ['update_result', 'pending'],
    ])
    await drain()
    expect(await orderOf(id)).toEqual({ state: 'completed', attention: [] })
  })

  test('is dropped when the result goes out, or the order is erased, before the vendor answers', async () => {
    const [late, erased] = [await lanes.place(), await lanes.place()]
    for (const id of [late, erased]) await lanes.record(id, saying('in_progress', [stage('a')]))
    await drain()
    for (const id of [late, erased]) await want({ backgroundCheckId: id, stageId: 'a' })
    await lanes.record(late, saying('completed', [stage('a')]))
    await drain()
    await ground.database.pool.query('UPDATE orders SET data_key = NULL WHERE background_check_id = $1', [erased])
    await resend(ok(saying('completed', [stage('a')])))
    for (const id of [late, erased]) expect((await kindsOf(id)).at(-1)).toBe('resend_dropped')
    expect((await ground.database.pool.query('SELECT 1 FROM vendor_tasks')).rowCount).toBe(0)
    expect(await told(late)).toHaveLength(2)
  })
})

describe('a result that is held for approval', () => {
  test('is known by a refusal of another one, and not held any more by a refusal of another kind', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('completed', []))
    await drain()
    await want(resultAgain(id))
    await resend(ok(saying('completed', [])))
    const refused = async (code: number, to: Settled) => {
      const failed = { ...to, lastError: { code, reason: '' } }
      await lanes.settle(await lanes.claim(), failed)
    }
    await refused(1002863, again)
    await refused(1002863, again)
    expect((await orderOf(id)).state).toBe('reported')
    expect((await kindsOf(id)).filter((kind) => kind === 'held_for_approval')).toHaveLength(1)
    await refused(1002858, dead)
    expect(await orderOf(id)).toEqual({ state: 'completed', attention: ['delivery_dead'] })
  })

  test('leaves the vendor nothing to stop when the customer stops the check', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('completed', []))
    await drain()
    await markHeld(ground.database.pool, id)
    await lanes.cancel(id)
    expect((await orderOf(id)).state).toBe('canceled')
    expect((await ground.database.pool.query('SELECT 1 FROM vendor_tasks')).rowCount).toBe(0)
  })

  test('is marked by whoever reads it in Feishu, once, and only where Feishu has a result', async () => {
    const [sent, unsent] = [await lanes.place(), await lanes.place()]
    await lanes.record(sent, saying('completed', []))
    await drain()
    await lanes.record(unsent, saying('completed', []))
    const { pool } = ground.database
    expect([await markHeld(pool, sent), await markHeld(pool, sent)]).toEqual([true, false])
    expect((await orderOf(sent)).state).toBe('reported')
    expect([await markApproved(pool, sent), await markApproved(pool, sent)]).toEqual([true, false])
    expect([await markApproved(pool, unsent), (await orderOf(unsent)).state]).toEqual([false, 'reported'])
    expect((await kindsOf(sent)).slice(-2)).toEqual(['held_for_approval', 'approved'])
  })
})

describe('whatever an operator does in between, on several connections', () => {
  const which = fc.nat(1)
  const vendor = fc
    .record({
      status: fc.constantFrom<VendorOrder['status'][]>('in_progress', 'in_progress', 'completed', 'canceled'),
      names: fc.array(fc.constantFrom('one', 'two'), { maxLength: 3 }),
    })
    .map(({ status, names }) =>
      saying(
        status,
        names.map((name, index) => stage(`st-${index + 1}`, { name })),
      ),
    )
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('record' as const), which, vendor }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('claim' as const) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('settle' as const),
        to: fc.constantFrom<Settled[]>(delivered, delivered, again, lostAnswer, dead),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), which }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('resend' as const),
        which,
        stageId: fc.constantFrom(null, 'st-1', 'st-2', 'st-1-2'),
        vendor,
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const) }) },
  )
  type Action = typeof action extends fc.Arbitrary<infer T> ? T : never

  test('stages stay in order and once, nothing but a resent result follows a result, and all comes to an end', async () => {
    const sides = [ground.database, ground.another(), ground.another()]
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(action, { minLength: 1, maxLength: 4 }), { maxLength: 12 }),
        async (rounds) => {
          const orders = [await lanes.place(freshId()), await lanes.place(freshId())]
          const held: Claim[] = []
          for (const round of rounds) {
            await Promise.all(round.map((each, index) => act(each, orders, held, sides[index % 3] ?? ground.database)))
            for (const id of orders) await check(id)
          }
          await ground.database.pool.query(`DELETE FROM vendor_tasks WHERE action = 'resend'`)
          await lanes.crash()
          await drain()
          for (const id of orders) {
            await check(id)
            expect((await lanes.rows(id)).filter((row) => /pending|sending/.test(row.state))).toEqual([])
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  async function act(each: Action, orders: string[], held: Claim[], database: Ground['database']): Promise<void> {
    const side = lanesOn(ground, database)
    const id = 'which' in each ? (orders[each.which] ?? '') : ''
    switch (each.do) {
      case 'record':
        await side.record(id, each.vendor)
        return
      case 'claim':
        held.push(...(await side.claim(5)))
        return
      case 'settle':
        await side.settle(held.splice(0, 2), each.to)
        return
      case 'stop':
        await stop(id, database)
        return
      case 'cancel':
        await side.cancel(id)
        return
      case 'crash':
        await side.crash()
        return
      case 'resend':
        await want({ backgroundCheckId: id, stageId: each.stageId }, database)
        await resend(ok(each.vendor))
    }
  }

  async function check(id: string): Promise<void> {
    const rows = await lanes.rows(id)
    const unsettled = rows.filter((row) => row.state === 'pending' || row.state === 'sending')
    expect(rows.filter((row) => row.due_at !== null).map((row) => row.id)).toEqual(
      unsettled.slice(0, 1).map((row) => row.id),
    )
    const live = rows.filter((row) => row.state !== 'superseded')
    const times = live.flatMap((row) => (row.stage_time === null ? [] : Number(row.stage_time)))
    expect(times).toEqual([...new Set(times)].toSorted((one_, other) => one_ - other))
    const taken = rows.filter((row) => row.state === 'delivered').map((row) => row.api)
    const result = taken.indexOf('update_result')
    if (result >= 0) expect(taken.slice(result)).not.toContain('update_progress')
    if (taken.includes('cancel')) expect(taken.indexOf('cancel')).toBe(taken.length - 1)
  }
})
