import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { moveOrders } from '../../src/flow/archive/move.js'
import { readArchived } from '../../src/flow/archive/read.js'
import { noteFindings, noteVendorOrder } from '../../src/flow/findings.js'
import { cancelByCustomer } from '../../src/flow/orders/cancel.js'
import { importOrder } from '../../src/flow/orders/import.js'
import { vendorOrderChanged } from '../../src/flow/orders/nudge.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import { eraseOrder } from '../../src/flow/personal-data/erase.js'
import { exportOrder } from '../../src/flow/personal-data/export.js'
import { settleOrder } from '../../src/flow/reconcile/settle-order.js'
import { settlePage } from '../../src/flow/reconcile/settle-page.js'
import { claimSweep, sweepNow } from '../../src/flow/reconcile/sweeps.js'
import type { FeishuOrder } from '../../src/flow/to-feishu/order-reads.js'
import type { Sql } from '../../src/platform/database/database.js'
import { archiveOn } from '../support/archive-room.js'
import { canary, who } from '../support/erasure-room.js'
import { eventually } from '../support/eventually.js'
import { origin } from '../support/lane-room.js'
import { count, freshId, type Ground, layGround, one } from '../support/room.js'

let ground: Ground
let room: ReturnType<typeof archiveOn>

beforeAll(async () => {
  ground = await layGround()
  room = archiveOn(ground)
})

afterAll(() => ground.stop())

beforeEach(async () => {
  await ground.database.pool.query(
    `TRUNCATE deliveries, lanes, orders, order_contacts, timeline, vendor_tasks, poll_schedule, events, seen_events, audit,
       findings, archived_orders, archived_checks, vendor_nudges`,
  )
})

const query = async (text: string, values: unknown[] = []) => (await ground.database.pool.query(text, values)).rows
/** As Feishu lists an open check that is ours. */
const shown = (id: string): FeishuOrder => ({
  id,
  status: 1,
  stages: [],
  hasResult: false,
  beganAt: 1,
  updatedAt: 2,
  provider: 'us',
})
const future = () => new Date(Date.now() + 60_000)

describe('a run', () => {
  test('moves what ended long ago, whole, and leaves nothing of it where orders live', async () => {
    const ids = [await room.old(), await room.old(), await room.old()]
    const young = await room.complete()
    await room.age(young, 399)
    expect(await room.archive({ batch: 2 })).toEqual({ moved: 3, waiting: 0, busy: 0, events: 0 })
    for (const id of ids) {
      expect(await room.living(id)).toBe(0)
      const row = await one<{ document: Record<string, unknown[]>; at: Date }>(
        ground.database,
        'SELECT document, archived_at AS at FROM archived_orders WHERE background_check_id = $1',
        [id],
      )
      expect(row.document).toMatchObject({ background_check_id: id, state: 'completed', vendor_order_id: `V-${id}` })
      expect(row.document['timeline']?.at(-1)).toMatchObject({ kind: 'erased' })
      expect(row.document['deliveries']).toMatchObject([
        { api: 'update_progress', state: 'delivered', request: null },
        { api: 'update_progress', state: 'delivered', request: null },
        { api: 'update_result', state: 'delivered', request: null },
      ])
    }
    expect(await room.isArchived(young)).toBe(false)
    expect(await room.everything()).not.toContain(canary)
    expect(await room.archive()).toEqual({ moved: 0, waiting: 0, busy: 0, events: 0 })
  })

  test('has one line in the audit, with what was committed, and none when there was nothing to do', async () => {
    await room.archive()
    for (let each = 0; each < 3; each += 1) await room.old()
    await query('DELETE FROM audit')
    await room.archive({ batch: 1 })
    expect(await query('SELECT actor, via, action, outcome, after FROM audit')).toEqual([
      {
        actor: 'tester',
        via: 'cli',
        action: 'archive.run',
        outcome: 'done',
        after: { before_days: 400, orders: 3, events: 0 },
      },
    ])
  })

  test('ends at its limit, and a dry one counts and moves nothing', async () => {
    const ids = [await room.old(), await room.old(), await room.old()]
    await query(`INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms) VALUES ($1, 't', 1)`, [
      ids[0],
    ])
    expect(await room.archive({ dryRun: true, batch: 2 })).toMatchObject({ moved: 2, waiting: 1 })
    expect(await count(ground.database, 'archived_orders')).toBe(0)
    expect(await room.archive({ limit: 1, batch: 2 })).toMatchObject({ moved: 1, waiting: 1 })
    expect(await count(ground.database, 'orders')).toBe(2)
  })

  test('keeps the findings and events of a check in its document', async () => {
    const id = await room.complete()
    await noteFindings(ground.database.pool, [{ kind: 'missing_in_feishu', ...origin, backgroundCheckId: id }])
    await room.take('ev-other', 'hire.eco_background_check.other_v1', { background_check_id: id })
    await room.age(id)
    expect(await room.archive()).toMatchObject({ moved: 1, waiting: 0 })
    const { document } = await one<{ document: object }>(ground.database, 'SELECT document FROM archived_orders')
    expect(document).toMatchObject({
      findings: [{ kind: 'missing_in_feishu', state: 'gone' }],
      events: [{ event_id: 'ev-other', state: 'ignored' }],
    })
    expect(await count(ground.database, 'events')).toBe(0)
  })

  test('drops settled events that are as old and hold nothing, and no others', async () => {
    const add = (eventId: string, state: string, days: number, payload: string | null) =>
      query(
        `INSERT INTO events (app_id, event_id, type, tenant_key, create_time, state, received_at, payload_sealed)
         VALUES ('a', $1, 'app_ticket', '', '0', $2, now() - $3 * interval '1 day', $4)`,
        [eventId, state, days, payload],
      )
    await add('gone', 'done', 500, null)
    // More than a page of them.
    for (let each = 0; each < 11; each += 1) await add('contents', 'failed', 500, 'x')
    await add('new', 'new', 500, 'x')
    await add('gone too', 'ignored', 401, null)
    await add('young', 'done', 399, null)
    expect(await room.archive({ batch: 1 })).toMatchObject({ events: 2 })
    const left = await query('SELECT DISTINCT event_id FROM events ORDER BY 1')
    expect(left.map((row) => row.event_id)).toEqual(['contents', 'new', 'young'])
  })
})

describe('what is not moved', () => {
  const put = (text: string) => (id: string) => query(text, [id])
  test.each([
    ['that is not erased', put('UPDATE orders SET erased_at = NULL WHERE background_check_id = $1')],
    ['that is open', put(`UPDATE orders SET state = 'in_progress' WHERE background_check_id = $1`)],
    ['with a data key', put(`UPDATE orders SET data_key = 'x' WHERE background_check_id = $1`)],
    ['with something sealed', put(`UPDATE orders SET payload_sealed = 'x' WHERE background_check_id = $1`)],
    ['with a sealed delivery', put(`UPDATE deliveries SET body_sealed = 'x' WHERE background_check_id = $1`)],
    ['with a delivery that waits', put(`UPDATE deliveries SET state = 'pending' WHERE background_check_id = $1`)],
    ['with a delivery in a call', put(`UPDATE deliveries SET state = 'sending' WHERE background_check_id = $1`)],
    [
      'with a cancel owed to the vendor',
      put(`INSERT INTO vendor_tasks (subject, action, tenant_key) VALUES ('order:' || $1, 'cancel', 't')`),
    ],
    [
      'with a stage to send again',
      put(`INSERT INTO vendor_tasks (subject, action, tenant_key) VALUES ('resend:' || $1 || '/st-1', 'resend', 't')`),
    ],
    [
      'that is polled',
      put(`INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms) VALUES ($1, 't', 1)`),
    ],
    [
      'with a standing finding',
      put(
        `INSERT INTO findings (kind, app_id, tenant_key, background_check_id, state) VALUES ('x', 'a', 't', $1, 'dismissed')`,
      ),
    ],
    [
      'with an event to process',
      put(
        `INSERT INTO events (app_id, event_id, type, tenant_key, create_time, background_check_id) VALUES ('a', 'e', 't', 't', '0', $1)`,
      ),
    ],
    [
      'that is found by a contact',
      put(`INSERT INTO order_contacts (hash, background_check_id, kind, key_id) VALUES ('x', $1, 'mobile', '')`),
    ],
  ])('an order %s', async (_name, wait) => {
    const [id, other] = [await room.old(), await room.old()]
    await wait(id)
    const before = await room.living(id)
    expect(await room.archive()).toMatchObject({ moved: 1 })
    expect([await room.isArchived(id), await room.isArchived(other)]).toEqual([false, true])
    expect(await room.living(id)).toBe(before)
  })

  test.each([
    ['order', 'SELECT 1 FROM orders WHERE background_check_id = $1 FOR UPDATE'],
    ['lane', `SELECT 1 FROM lanes WHERE lane = 'order:' || $1 FOR UPDATE`],
  ])('one whose %s somebody holds: it is passed over, and taken the next time', async (_name, lock) => {
    const [id, other] = [await room.old(), await room.old()]
    await ground.another().transaction(async (sql) => {
      await sql.query(lock, [id])
      expect(await room.archive()).toMatchObject({ moved: 1, busy: 1 })
    })
    expect([await room.isArchived(id), await room.isArchived(other)]).toEqual([false, true])
    expect(await room.archive()).toMatchObject({ moved: 1, busy: 0 })
  })
})

describe('several runs and those that die', () => {
  test('move an order whose check was archived before, and go on to the rest', async () => {
    const ids = [await room.old(), await room.old(), await room.old()]
    // As an import of a month leaves it that crossed the event of the check.
    await query(`INSERT INTO archived_checks VALUES (substring(sha256($1::bytea) FOR 16), '2025-03-01')`, [ids[0]])
    expect(await room.archive()).toMatchObject({ moved: 3 })
    for (const id of ids) {
      expect([await room.isArchived(id), await room.living(id)]).toEqual([true, 0])
      expect(await readArchived(ground.database.pool, id)).toMatchObject({ kind: 'archived' })
    }
  })

  test('share the orders, and move each once', async () => {
    const ids: string[] = []
    for (let each = 0; each < 12; each += 1) ids.push(await room.old())
    const runs = [
      room.archive({ batch: 2 }),
      archiveOn({ ...ground, database: ground.another() }).archive({ batch: 3 }),
    ]
    const moved = (await Promise.all(runs)).map((run) => run.moved)
    // What both looked at while the other held it is left for the next.
    const rest = await room.archive()
    expect((moved[0] ?? 0) + (moved[1] ?? 0) + rest.moved).toBe(12)
    expect(await count(ground.database, 'archived_checks')).toBe(12)
    for (const id of ids) expect([await room.isArchived(id), await room.living(id)]).toEqual([true, 0])
  })

  test('lose nothing and double nothing when the connection breaks in the middle', async () => {
    const id = await room.old()
    const before = await room.living(id)
    const killed = ground.database.transaction(async (sql) => {
      expect(await moveOrders(sql, [id], future())).toMatchObject({ moved: 1 })
      const pid = (await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid
      await ground.another().pool.query('SELECT pg_terminate_backend($1)', [pid])
      await sql.query('SELECT 1')
    })
    await expect(killed).rejects.toThrow()
    expect([await room.isArchived(id), await room.living(id)]).toEqual([false, before])
    expect(await count(ground.database, 'archived_checks')).toBe(0)
    expect(await room.archive()).toMatchObject({ moved: 1 })
  })
})

describe('a check in the archive', () => {
  let id: string
  beforeEach(async () => {
    id = await room.old()
    await room.archive()
  })

  const expectStill = async () => {
    expect([await room.isArchived(id), await room.living(id)]).toEqual([true, 0])
    expect(await count(ground.database, 'vendor_tasks')).toBe(0)
    expect(await count(ground.database, 'poll_schedule')).toBe(0)
    expect(await room.everything()).not.toContain(canary)
  }

  test('is not brought to life by events that come late, and they are not kept', async () => {
    await room.take('late-created', 'hire.eco_background_check.created_v1', {
      background_check_id: id,
      candidate_info: { name: 'canary-late' },
    })
    await room.take('late-canceled', 'hire.eco_background_check.canceled_v1', { background_check_id: id })
    const misfit = { background_check_id: id, candidate_info: 'canary-misfit' }
    await room.take('late-misfit', 'hire.eco_background_check.created_v1', misfit)
    expect(await query('SELECT event_id, state, payload_sealed FROM events ORDER BY id')).toEqual([
      { event_id: 'late-created', state: 'done', payload_sealed: null },
      { event_id: 'late-canceled', state: 'done', payload_sealed: null },
      { event_id: 'late-misfit', state: 'failed', payload_sealed: null },
    ])
    await expectStill()
  })

  test('is not brought to life by an import, the vendor or a sweep, and is no finding', async () => {
    const { database, sealer, log } = ground
    await query('DELETE FROM sweeps')
    await query(`INSERT INTO sweeps (app_id, tenant_key) VALUES ($1, $2)`, [origin.appId, origin.tenantKey])
    const order = { backgroundCheckId: id, vendorOrderId: 'V-9', stages: [], canceled: false }
    expect(await database.transaction((sql) => importOrder(sql, sealer, origin, order))).toEqual({ kind: 'exists' })
    expect(await vendorOrderChanged(database.pool, `V-${id}`)).toBe(false)
    await noteVendorOrder(database.pool, id, `V-${id}`)
    const unknown = freshId()
    await sweepNow(database.pool, {})
    const sweep = await claimSweep(database.pool, [origin.appId], 60_000)
    if (sweep === null) throw new Error('no sweep is due')
    const options = { database, sealer, log, keepers: [], quietMs: 0, onSettled: () => undefined }
    const page = { orders: [id, unknown].map(shown), certainUntil: Date.now() + 1000, knownSince: 0 }
    await settlePage(options, sweep, new Set(['us']), page)
    expect(await query('SELECT background_check_id FROM findings')).toEqual([{ background_check_id: unknown }])
    await expectStill()
  })

  test('is erased already, whoever asks', async () => {
    await query('DELETE FROM audit')
    expect(await room.erase(id)).toEqual({ kind: 'erased', again: true })
    expect(await query('SELECT action, subject, outcome FROM audit')).toEqual([
      { action: 'orders.erase', subject: `order:${id}`, outcome: 'done' },
    ])
    const exported = await ground.database.transaction((sql) => exportOrder(sql, ground.sealer, id, who))
    expect(exported).toEqual({ kind: 'erased' })
    await expectStill()
  })
})

describe('an event that crosses the move', () => {
  const created = (sql: Sql, id: string) => receiveOrder(sql, ground.sealer, origin, room.personal(id))
  const canceled = (sql: Sql, id: string) => cancelByCustomer(sql, ground.sealer, origin, id, 'canary')

  const erased = (sql: Sql, id: string) => eraseOrder(sql, id, { force: true, who })
  const swept = (sql: Sql, id: string) => {
    const { sealer, log } = ground
    const reading = { theirs: shown(id), certain: true, quietSince: new Date(), isMine: async () => true }
    return settleOrder(sql, { sealer, log, keepers: [] }, { ...origin, backgroundCheckId: id }, reading)
  }

  test.each([
    ['created', created, { kind: 'done' }],
    ['canceled', canceled, { kind: 'done' }],
    ['an erasure', erased, { kind: 'erased', again: true }],
    ['a sweep', swept, null],
  ] as const)('%s: it waits, and then finds the check in the archive', async (_name, effect, outcome) => {
    const id = await room.old()
    const other = ground.another()
    let crossing: Promise<unknown> | undefined
    await ground.database.transaction(async (sql) => {
      await moveOrders(sql, [id], future())
      let pid = 0
      crossing = other.transaction(async (late) => {
        pid = (await late.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0
        return effect(late, id)
      })
      const isBlocked = async () => (await query('SELECT pg_blocking_pids($1) <> $2 AS waits', [pid, []]))[0]?.waits
      await eventually(isBlocked).toBe(true)
    })
    expect(await crossing).toEqual(outcome)
    expect([await room.isArchived(id), await room.living(id)]).toEqual([true, 0])
    expect(await count(ground.database, 'vendor_tasks')).toBe(0)
  })
})
