import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { dismissFinding, noteFindings } from '../../src/flow/findings.js'
import { type ChoreName, chores } from '../../src/flow/housekeeping/chores.js'
import { flagOrder } from '../../src/flow/orders/record.js'
import type { Database } from '../../src/platform/database/database.js'
import { canary, erasureOn } from '../support/erasure-room.js'
import { keepTerms } from '../support/keep-terms.js'
import { delivered, origin } from '../support/lane-room.js'
import { count, freshId, type Ground, layGround } from '../support/room.js'
import { saying, stage } from '../support/vendor-words.js'

let ground: Ground
let room: ReturnType<typeof erasureOn>

beforeAll(async () => {
  ground = await layGround()
  room = erasureOn(ground)
})

afterAll(() => ground.stop())

const tables = `deliveries, lanes, orders, order_contacts, timeline, vendor_tasks, poll_schedule, events, audit, findings,
  vendor_nudges, idempotency_keys, call_minutes, holds`
beforeEach(async () => {
  await ground.database.pool.query(`TRUNCATE ${tables}`)
})

const query = async (text: string, values: unknown[] = []) => (await ground.database.pool.query(text, values)).rows

const run = (
  name: ChoreName,
  { database = ground.database, batch = 100 }: { database?: Database; batch?: number } = {},
) => chores[name]({ database, terms: keepTerms, batch })

/** As if the order had changed last so many days ago. */
async function age(id: string, days: number, state?: string): Promise<void> {
  await query(
    `UPDATE orders SET updated_at = now() - $2 * interval '1 day', state = coalesce($3, state) WHERE background_check_id = $1`,
    [id, days, state ?? null],
  )
}
const attentionOf = async (id: string) => (await room.order(id)).attention

describe('retention', () => {
  test('erases what ended, and what did not change, for longer than the term, and nothing else', async () => {
    const [ended, open, young, youngOpen] = [
      await room.receive(),
      await room.place(),
      await room.receive(),
      await room.place(),
    ]
    await room.record(open, saying('in_progress', [stage('a', { name: canary })]))
    await age(ended, 181, 'completed')
    await age(open, 181)
    await age(young, 179, 'completed')
    await age(youngOpen, 179)
    expect(await run('personal_data_erased')).toEqual({ due: 2, done: 2 })
    expect(await room.order(ended)).toMatchObject({ state: 'completed', data_key: null, erased_at: expect.any(Date) })
    expect(await room.order(open)).toMatchObject({ state: 'canceled', data_key: null, erased_at: expect.any(Date) })
    for (const id of [young, youngOpen]) expect(await room.order(id)).toMatchObject({ erased_at: null })
    expect((await room.timeline(open)).at(-1)).toEqual({
      kind: 'erased',
      detail: { by: 'retention', was: 'in_progress', ended_here: true },
    })
    expect(await query('SELECT actor, via, action, outcome FROM audit')).toEqual(
      Array.from({ length: 2 }, () => ({
        actor: 'bgc-bridge',
        via: 'service',
        action: 'orders.erase',
        outcome: 'done',
      })),
    )
    expect(await count(ground.database, 'poll_schedule')).toBe(1)
    expect(await room.claim()).toEqual([])
    expect(await run('personal_data_erased')).toEqual({ due: 0, done: 0 })
  })

  test('goes in batches, which several processes share without erasing anything twice', async () => {
    const ids = await Promise.all(Array.from({ length: 12 }, () => room.receive()))
    for (const id of ids) await age(id, 200, 'completed')
    const databases = [ground.database, ground.another(), ground.another()]
    const all = await Promise.all(databases.map((database) => run('personal_data_erased', { database, batch: 8 })))
    const done = all.map((each) => each.done)
    expect(Math.max(...done)).toBeLessThanOrEqual(8)
    const erased = await count(ground.database, 'orders WHERE erased_at IS NOT NULL')
    expect(done.reduce((sum, each) => sum + each, 0)).toBe(erased)
    expect(await count(ground.database, 'audit')).toBe(erased)
    await run('personal_data_erased')
    expect(await count(ground.database, 'orders WHERE erased_at IS NULL')).toBe(0)
    expect(await count(ground.database, `timeline WHERE kind = 'erased'`)).toBe(12)
  })

  test('leaves alone what somebody works on at the moment, and goes on with the others', async () => {
    const [held, free] = [await room.place(), await room.place()]
    for (const id of [held, free]) {
      await room.record(id, saying('in_progress', [stage('a')]))
      await age(id, 200)
    }
    await ground.database.transaction(async (sql) => {
      await sql.query('SELECT 1 FROM lanes WHERE lane = $1 FOR UPDATE', [`order:${held}`])
      expect(await run('personal_data_erased')).toEqual({ due: 2, done: 1 })
    })
    expect((await room.order(held)).erased_at).toBeNull()
    expect((await room.order(free)).erased_at).not.toBeNull()
  })

  test('counts from the last change: a stage that is new, however the state stays, and no flag of a poll', async () => {
    const [changed, flagged] = [await room.place(), await room.place()]
    for (const id of [changed, flagged]) {
      await room.record(id, saying('in_progress', [stage('a')]))
      await age(id, 200)
    }
    await room.record(changed, saying('in_progress', [stage('a'), stage('b')]))
    await flagOrder(ground.database.pool, flagged, 'unknown_to_vendor')
    await room.record(flagged, saying('in_progress', [stage('a')]))
    expect(await attentionOf(flagged)).toEqual([])
    expect(await run('personal_data_erased')).toEqual({ due: 1, done: 1 })
    expect((await room.order(changed)).erased_at).toBeNull()
    expect((await room.order(flagged)).erased_at).not.toBeNull()
  })
})

describe('the flag of stale orders', () => {
  test.each(['received', 'ordered', 'in_progress', 'reported'])(
    'marks one that is %s, and is no change',
    async (state) => {
      const id = await room.receive()
      await age(id, 8, state)
      const { updated_at } = await room.order(id)
      expect(await run('orders_flagged_stale')).toEqual({ due: 1, done: 1 })
      expect(await room.order(id)).toMatchObject({ attention: ['stale'], updated_at, state })
      expect(await run('orders_flagged_stale')).toEqual({ due: 0, done: 0 })
      expect(await run('orders_no_longer_stale')).toEqual({ due: 0, done: 0 })
    },
  )

  test.each(['completed', 'canceled', 'failed'])(
    'marks none that is %s, none that changed lately, none erased',
    async (state) => {
      const [ended, young, erased] = [await room.receive(), await room.receive(), await room.receive()]
      await age(ended, 8, state)
      await age(young, 6)
      await room.erase(erased)
      await age(erased, 8, 'ordered')
      expect(await run('orders_flagged_stale')).toEqual({ due: 0, done: 0 })
    },
  )

  test('goes with what the vendor says next, with the end, and with the customer’s cancel', async () => {
    const [said, ended, canceled] = [await room.place(), await room.place(), await room.place()]
    await room.record(ended, saying('completed', []))
    for (const id of [said, ended, canceled]) await age(id, 8)
    await run('orders_flagged_stale')
    await room.record(said, saying('in_progress', [stage('a')]))
    await room.settle(await room.claim(), delivered)
    await room.cancel(canceled)
    for (const id of [said, ended, canceled]) expect(await attentionOf(id)).toEqual([])
  })

  test('stays while the vendor only repeats itself', async () => {
    const id = await room.place()
    const words = saying('in_progress', [stage('a')])
    await room.record(id, words)
    await room.settle(await room.claim(), delivered)
    await age(id, 8)
    await run('orders_flagged_stale')
    await room.record(id, words)
    expect(await attentionOf(id)).toEqual(['stale'])
  })

  test('goes after any other change, too, and where another flag stands that one stays', async () => {
    const id = await room.place()
    await age(id, 8)
    await query(`UPDATE orders SET attention = '{vendor_time}'`)
    await run('orders_flagged_stale')
    expect(await attentionOf(id)).toEqual(['vendor_time', 'stale'])
    await age(id, 0)
    expect(await run('orders_no_longer_stale')).toEqual({ due: 1, done: 1 })
    expect(await attentionOf(id)).toEqual(['vendor_time'])
  })
})

describe('what nobody needs any more goes', () => {
  const keep = (days: number) => `now() - interval '${days} days'`

  test('payloads of events that failed or were ignored: after 30 days; the events stay', async () => {
    const type = 'hire.eco_background_check.created_v1'
    for (const id of ['old', 'young'])
      await room.take(id, type, { background_check_id: 'none', note: `${canary}-${id}` })
    await query(`UPDATE events SET settled_at = ${keep(31)} WHERE event_id = 'old'`)
    await query(`UPDATE events SET settled_at = ${keep(29)} WHERE event_id = 'young'`)
    expect(await run('event_payloads_cleared')).toEqual({ due: 1, done: 1 })
    expect(await query('SELECT event_id, state, payload_sealed IS NULL AS cleared FROM events ORDER BY 1')).toEqual([
      { event_id: 'old', state: 'failed', cleared: true },
      { event_id: 'young', state: 'failed', cleared: false },
    ])
  })

  const rows: Array<[ChoreName, string, string, (at: string) => string, number, number]> = [
    [
      'vendor_nudges',
      'vendor_nudges',
      'at',
      (at) => `(vendor_order_id, at) VALUES (gen_random_uuid(), ${at})`,
      1 / 12,
      1 / 48,
    ],
    [
      'idempotency_keys',
      'idempotency_keys',
      'created_at',
      (at) => `(hash, request, created_at, runs_until) VALUES (gen_random_uuid()::text::bytea, '', ${at}, ${at})`,
      1.1,
      0.9,
    ],
    [
      'call_minutes',
      'call_minutes',
      'minute',
      (at) => `(minute, app_id, tenant_key, api) VALUES (${at}, 'a', 't', gen_random_uuid())`,
      36,
      34,
    ],
    [
      'released_holds',
      'holds',
      'released_at',
      (at) => `(scope, app_id, reason, released_at) VALUES ('app', 'a', '', ${at})`,
      401,
      399,
    ],
    [
      'audit_entries',
      'audit',
      'at',
      (at) => `(actor, via, action, subject, outcome, at) VALUES ('a', 'api', 'x', 'y', 'done', ${at})`,
      401,
      399,
    ],
  ]
  test.each(rows)('%s, and what is younger stays', async (name, table, column, values, old, young) => {
    for (const days of [old, old, old, young]) {
      await query(`INSERT INTO ${table} ${values(`now() - ${days * 24} * interval '1 hour'`)}`)
    }
    expect(await run(name, { batch: 2 })).toEqual({ due: 2, done: 2 })
    expect(await run(name, { batch: 2 })).toEqual({ due: 1, done: 1 })
    expect(await count(ground.database, table)).toBe(1)
    expect(
      await count(ground.database, `${table} WHERE ${column} > now() - ${young * 24 + 0.4} * interval '1 hour'`),
    ).toBe(1)
  })

  test('and a hold that stands, or the answer to a request that still runs, never does', async () => {
    await query(`INSERT INTO holds (scope, app_id, reason, created_at) VALUES ('app', 'a', '', ${keep(900)})`)
    await query(
      `INSERT INTO idempotency_keys (hash, request, created_at, runs_until) VALUES ('h', '', ${keep(3)}, now() + interval '1 minute')`,
    )
    expect(await run('released_holds')).toEqual({ due: 0, done: 0 })
    expect(await run('idempotency_keys')).toEqual({ due: 0, done: 0 })
  })

  test('rows that another process holds are left to it', async () => {
    await query(`INSERT INTO vendor_nudges (vendor_order_id, at) VALUES ('V-1', ${keep(1)}), ('V-2', ${keep(1)})`)
    await ground.database.transaction(async (sql) => {
      await sql.query(`SELECT 1 FROM vendor_nudges WHERE vendor_order_id = 'V-1' FOR UPDATE`)
      expect(await run('vendor_nudges')).toEqual({ due: 1, done: 1 })
    })
    expect(await query('SELECT vendor_order_id FROM vendor_nudges')).toEqual([{ vendor_order_id: 'V-1' }])
  })
})

test('a difference in Feishu that is noted and dismissed leaves no flag on an erased order', async () => {
  const id = await room.receive(freshId())
  await noteFindings(ground.database.pool, [{ kind: 'missing_in_feishu', ...origin, backgroundCheckId: id }])
  await room.erase(id)
  const [finding] = await query('SELECT id FROM findings')
  expect(await ground.database.transaction((sql) => dismissFinding(sql, BigInt(finding.id)))).toBe('not_open')
  expect(await attentionOf(id)).toEqual([])
})
