import { Agent, request } from 'node:http'
import pg, { type QueryConfig } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createInbox, eventContext } from '../../src/flow/inbox/accept.js'
import { effects } from '../../src/flow/inbox/effects.js'
import { startInboxWorker } from '../../src/flow/inbox/worker.js'
import type { ReceivedEvent } from '../../src/flow/map.js'
import { keyOfOrder } from '../../src/flow/orders/keys.js'
import { payloadContext } from '../../src/flow/orders/receive.js'
import { openJson } from '../../src/platform/crypto/data-key.js'
import type { Database } from '../../src/platform/database/database.js'
import type { Started } from '../../src/platform/lifetime.js'
import { eventually } from '../support/eventually.js'
import {
  bound,
  canceled,
  checkBody,
  created,
  eventOf,
  firstApp,
  oldEventOf,
  type Push,
  push,
  secondApp,
} from '../support/pushes.js'
import { type Receiving, startReceiving } from '../support/receiving.js'
import { count, freshId, type Ground, layGround, one } from '../support/room.js'

let ground: Ground
let receiving: Receiving
const started: Started[] = []

beforeAll(async () => {
  ground = await layGround()
  receiving = await startReceiving(ground)
})

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()))
})

afterAll(async () => {
  await receiving.stop()
  await ground.stop()
})

function work(database: Database = ground.database) {
  const worker = startInboxWorker({ database, sealer: ground.sealer, log: ground.log, onEffect: () => undefined })
  started.push(worker)
  return worker
}

/** Receives events of the first app, and waits until each had its effect or cannot have it. */
async function take(...contents: object[]): Promise<void> {
  for (const content of contents) {
    const answer = await receiving.push(push(firstApp, content))
    expect(answer.status).toBe(200)
  }
  await settled()
}

async function settled(): Promise<void> {
  const worker = work()
  await expect
    .poll(
      () => {
        worker.wake()
        return count(ground.database, `events WHERE state = 'new'`)
      },
      { timeout: 20_000, interval: 10 },
    )
    .toBe(0)
  await worker.stop()
}

type EventRow = { state: string; error: string | null; payload_sealed: Buffer | null; attempts: number }
const rowOf = (content: { header: { event_id: string } }) =>
  one<EventRow>(ground.database, 'SELECT * FROM events WHERE event_id = $1', [content.header.event_id])
type OrderRow = {
  state: string
  app_id: string
  tenant_key: string
  account_id: string | null
  payload_sealed: Buffer | null
  data_key: Buffer | null
}
const orderOf = (id: string) =>
  one<OrderRow>(ground.database, 'SELECT * FROM orders WHERE background_check_id = $1', [id])
const tasksOf = (id: string) => count(ground.database, 'vendor_tasks WHERE subject = $1', [`order:${id}`])
const kindsOf = async (id: string) =>
  (
    await ground.database.pool.query<{ kind: string }>(
      'SELECT kind FROM timeline WHERE background_check_id = $1 ORDER BY id',
      [id],
    )
  ).rows.map((row) => row.kind)

describe('the same event', () => {
  test('a hundred times at once is one row, and every copy is 200', async () => {
    const sealed = push(firstApp, eventOf(firstApp, created, checkBody(freshId()), { event_id: 'hundred' }))
    const agent = new Agent({ maxSockets: 100 })
    const statuses = await Promise.all(Array.from({ length: 100 }, () => post(agent, sealed)))
    agent.destroy()
    expect(statuses.filter((status) => status !== 200)).toEqual([])
    expect(await count(ground.database, `events WHERE event_id = 'hundred'`)).toBe(1)
  })

  test('after its effect is 200 and has none', async () => {
    const id = freshId()
    const content = eventOf(firstApp, created, checkBody(id))
    await take(content)
    await take(content, content)
    expect(await kindsOf(id)).toEqual(['received'])
    expect(await tasksOf(id)).toBe(1)
    expect(await rowOf(content)).toMatchObject({ state: 'done', payload_sealed: null })
  })

  test('under two event ids makes one order', async () => {
    const id = freshId()
    const [one_, two] = [eventOf(firstApp, created, checkBody(id)), eventOf(firstApp, created, checkBody(id))]
    await take(one_, two)
    expect(await kindsOf(id)).toEqual(['received'])
    expect(await rowOf(two)).toMatchObject({ state: 'done' })
  })
})

function post(agent: Agent, { body, headers }: Push): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { agent, port: receiving.port, path: '/webhooks/feishu/events', method: 'POST', headers }
    request(options, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
    })
      .on('error', reject)
      .end(body)
  })
}

describe('what is committed together', () => {
  // The tests behind wait until nothing is new: these many have no effect to wait for.
  afterAll(async () => {
    await ground.database.pool.query(`DELETE FROM events WHERE tenant_key = 'tk'`)
  })

  const received = (eventId: string, more: Partial<ReceivedEvent> = {}): ReceivedEvent => ({
    appId: firstApp.appId,
    eventId,
    type: 'other',
    tenantKey: 'tk',
    createTime: '1',
    payload: Buffer.from('{}'),
    ...more,
  })
  const inboxOn = (database: Database, batches: number[] = []) =>
    createInbox({ database, sealer: ground.sealer, onAccepted: () => undefined, onBatch: (size) => batches.push(size) })

  test('goes in one batch, and a row that PostgreSQL does not take harms only itself', async () => {
    const batches: number[] = []
    const inbox = inboxOn(ground.database, batches)
    const answers = await Promise.all([
      inbox.accept(received('good-1')),
      inbox.accept(received('bad', { type: 'NUL \0 in it' })),
      inbox.accept(received('good-2')),
      inbox.accept(received('good-1')),
    ])
    expect(answers).toEqual(['accepted', 'unavailable', 'accepted', 'duplicate'])
    expect(batches).toEqual([4])
    expect(await count(ground.database, `events WHERE event_id IN ('good-1', 'bad', 'good-2')`)).toBe(2)
    await inbox.stop()
  })

  test('keeps each payload with its own event, whatever its length', async () => {
    const payloads = Array.from({ length: 60 }, (_, index) => Buffer.from('字'.repeat((index * 7) % 60) + index))
    payloads[30] = Buffer.alloc(0)
    const batches: number[] = []
    const inbox = inboxOn(ground.database, batches)
    await Promise.all(payloads.map((payload, index) => inbox.accept(received(`payload-${index}`, { payload }))))
    await inbox.stop()
    expect(batches).toEqual([60])
    for (const [index, payload] of payloads.entries()) {
      const eventId = `payload-${index}`
      const row = await one<EventRow>(ground.database, 'SELECT * FROM events WHERE event_id = $1', [eventId])
      const sealed = row?.payload_sealed ?? Buffer.alloc(0)
      expect(ground.sealer.open(sealed, eventContext(firstApp.appId, eventId)).equals(payload)).toBe(true)
    }
  })

  test('is told of, the last one at the latest when the inbox stops', async () => {
    let told = 0
    let known = 0
    const tell = () => {
      told += 1
      known = accepted
    }
    let accepted = 0
    const inbox = createInbox({ database: ground.database, sealer: ground.sealer, onAccepted: tell })
    for (const name of ['told-1', 'told-2', 'told-3']) {
      accepted += 1
      expect(await inbox.accept(received(name))).toBe('accepted')
    }
    await inbox.stop()
    expect(known).toBe(3)
    expect(told).toBeLessThanOrEqual(3)
  })

  test('by two processes with the same events in opposite orders neither deadlocks nor doubles', async () => {
    const inboxes = [inboxOn(ground.database), inboxOn(ground.another())]
    for (let round = 0; round < 30; round += 1) {
      const ids = Array.from({ length: 40 }, (_, index) => `overlap-${round}-${index}`)
      const answers = await Promise.all(
        inboxes.map((inbox, which) =>
          Promise.all((which === 0 ? ids : ids.toReversed()).map((id) => inbox.accept(received(id)))),
        ),
      )
      const flat = answers.flat()
      expect(flat.filter((answer) => answer === 'accepted')).toHaveLength(40)
      expect(flat.filter((answer) => answer === 'duplicate')).toHaveLength(40)
    }
    await Promise.all(inboxes.map((inbox) => inbox.stop()))
  })

  test('is sorted by its key, once each, whatever order it came in', async () => {
    const written: string[][] = []
    const intake = {
      query: (query: { text: string; values: string[][] }) => {
        written.push(query.values[0] ?? [])
        return ground.database.intake.query(query)
      },
    } as unknown as Database['intake']
    const inbox = inboxOn({ ...ground.database, intake })
    const ids = Array.from({ length: 60 }, (_, index) => `sorted-${index % 40}`)
    await Promise.all(ids.map((id) => inbox.accept(received(id))))
    await inbox.stop()
    const keys = written.flat()
    expect(keys).toEqual([...new Set(keys)].toSorted())
    expect(keys).toHaveLength(40)
  })

  test('is refused without a wait when too many wait, and what was answered late is not written', async () => {
    const lock = await ground.database.pool.connect()
    await lock.query('BEGIN')
    await lock.query('LOCK TABLE seen_events IN ACCESS EXCLUSIVE MODE')
    const reasons = new Set<string>()
    const batches: string[][] = []
    const intake = {
      query: (query: { values: string[][] }) => {
        batches.push(query.values[2] ?? [])
        return ground.database.intake.query(query as never)
      },
    } as unknown as Database['intake']
    const inbox = createInbox({
      database: { intake },
      sealer: ground.sealer,
      onAccepted: () => undefined,
      onUnavailable: ({ reason }) => reasons.add(reason),
    })
    const waiting = Array.from({ length: 2000 }, (_, index) => inbox.accept(received(`crowd-${index}`)))
    await new Promise((resolve) => setImmediate(resolve))
    // Two batches of 200 are with PostgreSQL by now.
    const more = Array.from({ length: 400 }, (_, index) => inbox.accept(received(`crowd-more-${index}`)))
    expect(await inbox.accept(received('one too many'))).toBe('unavailable')
    expect([...reasons]).toEqual(['full'])
    const answers = await Promise.all([...waiting, ...more])
    expect(new Set(answers)).toEqual(new Set(['unavailable']))
    await eventually(() => [...reasons].toSorted()).toEqual(['failed', 'full', 'late'])
    const issued = new Set(batches.flat())
    await lock.query('ROLLBACK')
    lock.release()
    expect(await inbox.accept(received('after the crowd'))).toBe('accepted')
    await inbox.stop()
    // Two batches, and two more when those had failed; PostgreSQL may still have taken what it had been given.
    expect(issued.size).toBeLessThanOrEqual(800)
    const found = await ground.database.pool.query(`SELECT event_id FROM events WHERE event_id LIKE 'crowd%'`)
    expect(found.rows.filter(({ event_id }) => !issued.has(event_id))).toEqual([])
  })

  test('is told of, with its cause, when it cannot be kept, and when nobody knows whether it was', async () => {
    const away = ground.another()
    await away.stop()
    const causes: unknown[] = []
    const inbox = createInbox({
      database: away,
      sealer: ground.sealer,
      onAccepted: () => undefined,
      onUnavailable: (why) => causes.push(why),
    })
    const cause = { reason: 'failed', failure: expect.any(Error) }
    expect(await inbox.accept(received('not kept'))).toBe('unavailable')
    expect(causes).toEqual([cause])
    expect(await inbox.isKnown(firstApp.appId, 'not kept')).toBe('unavailable')
    expect(causes).toEqual([cause, cause])
    await inbox.stop()
  })

  test('is 503 over HTTP while PostgreSQL is away, and 200 when it is back', async () => {
    const away = ground.another()
    await away.stop()
    const other = await startReceiving({ ...ground, database: away })
    const content = push(firstApp, eventOf(firstApp, created, checkBody(freshId())))
    const old = push(firstApp, eventOf(firstApp, created, checkBody(freshId())), { timestamp: '1000000000' })
    expect((await other.push(content)).status).toBe(503)
    expect((await other.push(old)).status).toBe(503)
    await other.stop()
    expect((await receiving.push(content)).status).toBe(200)
  })
})

describe('in any order', () => {
  test('a cancel before its order leaves a tombstone that the order fills and does not lift', async () => {
    const id = freshId()
    await take(eventOf(firstApp, canceled, { background_check_id: id, termination_reason: 'withdrew' }))
    expect(await orderOf(id)).toMatchObject({ state: 'canceled', payload_sealed: null })
    await take(eventOf(firstApp, created, checkBody(id)))
    expect(await orderOf(id)).toMatchObject({ state: 'canceled', account_id: '7400000000000000101' })
    expect(await tasksOf(id)).toBe(0)
    expect(await kindsOf(id)).toEqual(['canceled_before_created', 'received'])
  })

  test('a cancel of an order that nobody was told of takes its task away', async () => {
    const id = freshId()
    await take(eventOf(firstApp, created, checkBody(id)))
    await take(eventOf(firstApp, canceled, { background_check_id: id, termination_reason: null }))
    expect(await orderOf(id)).toMatchObject({ state: 'canceled' })
    expect(await tasksOf(id)).toBe(0)
    await take(eventOf(firstApp, canceled, { background_check_id: id }))
    expect(await kindsOf(id)).toEqual(['received', 'canceled_by_customer'])
  })

  test('an account bound again is updated and asked for again', async () => {
    const account = freshId()
    const body = { scope: 1, account_id: account, account_name: 'first', usage_list: [1], custom_field_list: [] }
    await take(eventOf(firstApp, bound, body), eventOf(firstApp, bound, { ...body, account_name: 'second' }))
    const row = await one<{ name: string; state: string }>(
      ground.database,
      'SELECT name, state FROM accounts WHERE account_id = $1',
      [account],
    )
    expect(row).toEqual({ name: 'second', state: 'unconfirmed' })
    expect(
      await count(ground.database, `vendor_tasks WHERE subject = $1 AND action = 'bind'`, [`account:${account}`]),
    ).toBe(1)
  })
})

describe('of somebody else', () => {
  test.each(['created', 'canceled'] as const)(
    '%s for an order of another tenant fails and touches nothing',
    async (what) => {
      const id = freshId()
      await take(eventOf(firstApp, created, checkBody(id)))
      const before = await orderOf(id)
      const type = what === 'created' ? created : canceled
      const foreign = eventOf(firstApp, type, checkBody(id, { account_id: '1' }), { tenant_key: 'tk_other' })
      await take(foreign)
      expect(await rowOf(foreign)).toMatchObject({ state: 'failed' })
      expect((await rowOf(foreign)).error).toContain('background_check_id')
      expect(await orderOf(id)).toEqual(before)
      expect(await tasksOf(id)).toBe(1)
    },
  )

  test.each(['created', 'canceled'] as const)(
    '%s for an order of another app fails and touches nothing',
    async (what) => {
      const id = freshId()
      await take(eventOf(firstApp, created, checkBody(id)))
      const before = await orderOf(id)
      const content = eventOf(secondApp, what === 'created' ? created : canceled, checkBody(id))
      await receiving.push(push(secondApp, content), `/webhooks/feishu/${secondApp.appId}/events`)
      await settled()
      expect(await rowOf(content)).toMatchObject({ state: 'failed' })
      expect(await orderOf(id)).toEqual(before)
    },
  )

  test('an account of another tenant stays as it is', async () => {
    const account = freshId()
    const body = { scope: 1, account_id: account, account_name: 'mine' }
    const foreign = eventOf(firstApp, bound, { ...body, account_name: 'theirs' }, { tenant_key: 'tk_other' })
    await take(eventOf(firstApp, bound, body))
    await take(foreign)
    expect(await rowOf(foreign)).toMatchObject({ state: 'failed' })
    expect(await count(ground.database, `accounts WHERE account_id = $1 AND name = 'mine'`, [account])).toBe(1)
  })

  test.each([created, canceled, bound])('%s that names no tenant fails', async (type) => {
    const content = eventOf(firstApp, type, checkBody(freshId()), { tenant_key: null })
    await take(content)
    expect(await rowOf(content)).toMatchObject({ state: 'failed' })
    expect((await rowOf(content)).error).toContain('tenant_key')
  })
})

describe('of an odd shape', () => {
  test.each(['im.message.receive_v1', 'hire.eco_exam.created_v1', '__proto__', 'constructor', 'toString', ''])(
    'type %j is ignored and kept',
    async (type) => {
      const content = eventOf(firstApp, type, { anything: true })
      await take(content)
      expect(await rowOf(content)).toMatchObject({ state: 'ignored', error: null })
      expect((await rowOf(content)).payload_sealed).not.toBeNull()
    },
  )

  const canary = 'CANARY-13812345678'
  test.each([
    [created, { ...checkBody('1'), background_check_id: canary }, 'event.background_check_id'],
    [created, { ...checkBody('1'), background_check_id: null }, 'event.background_check_id'],
    [created, { ...checkBody('1'), background_check_id: 7.4e18 }, 'event.background_check_id'],
    [created, { ...checkBody('1'), candidate_info: canary }, 'event.candidate_info'],
    [created, { ...checkBody('1'), candidate_info: { name: { [canary]: canary } } }, 'event.candidate_info.name'],
    [created, { ...checkBody('1'), custom_field_list: canary }, 'event.custom_field_list'],
    [canceled, { background_check_id: `../${canary}` }, 'event.background_check_id'],
    [bound, { scope: canary, account_id: '1' }, 'event.scope'],
    [bound, { scope: 1, account_id: canary }, 'event.account_id'],
    [created, null, 'event'],
    [created, [canary], 'event'],
    [created, canary, 'event'],
  ])('%s that does not fit fails, with paths and no values (%#)', async (type, body, path) => {
    const content = eventOf(firstApp, type, body)
    await take(content)
    const row = await rowOf(content)
    expect(row.state).toBe('failed')
    expect(row.error).toContain(path)
    expect(row.error).not.toContain('CANARY')
    expect(row.attempts).toBe(1)
    expect(ground.lines.join('')).not.toContain('CANARY')
  })

  test('an exam account is ignored', async () => {
    const content = eventOf(firstApp, bound, { scope: 2, account_id: freshId() })
    await take(content)
    expect(await rowOf(content)).toMatchObject({ state: 'ignored' })
  })

  test('an order where everything but its id is null is an order', async () => {
    const id = freshId()
    const nothing = Object.fromEntries(Object.keys(checkBody(id)).map((key) => [key, null]))
    await take(eventOf(firstApp, created, { ...nothing, background_check_id: id }))
    expect(await orderOf(id)).toMatchObject({ state: 'received' })
  })

  test('an order with nulls in lists, values that are no text and unknown fields is an order', async () => {
    const id = freshId()
    const content = eventOf(
      firstApp,
      created,
      checkBody(id, {
        additional_item_id_list: [null, 'ext'],
        candidate_info: { name: null, mobile: { code: null, number: null }, unknown: 1 },
        custom_field_list: [
          null,
          { key: null, value: 'x' },
          { key: 'text', value: 'a' },
          { key: 'none', value: null },
          { key: 'bool', value: true },
          { key: 'many', value: ['a', 'b'] },
          { key: '__proto__', value: 'polluted' },
        ],
      }),
    )
    await take(content)
    expect(await rowOf(content)).toMatchObject({ state: 'done', error: null })
    const row = await orderOf(id)
    const payload = openJson(
      keyOfOrder(ground.sealer, id, row.data_key),
      row.payload_sealed ?? Buffer.alloc(0),
      payloadContext(id),
    ) as { additionalItemIds: string[]; customFields: Record<string, string> }
    expect(payload.additionalItemIds).toEqual(['ext'])
    expect(Object.entries(payload.customFields).toSorted()).toEqual([
      ['__proto__', 'polluted'],
      ['bool', 'true'],
      ['many', '["a","b"]'],
      ['none', ''],
      ['text', 'a'],
    ])
    expect(Object.keys(Object.prototype)).toEqual([])
  })

  test('NUL characters, which PostgreSQL does not take, harm nothing', async () => {
    const [id, account] = [freshId(), freshId()]
    const order = eventOf(firstApp, created, checkBody(id, { account_id: 'a\0b', package_id: '\0', comment: 'x\0y' }))
    const binding = eventOf(firstApp, bound, { scope: 1, account_id: account, account_name: 'A\0B' })
    await take(order, binding)
    expect(await rowOf(order)).toMatchObject({ state: 'done' })
    expect(await rowOf(binding)).toMatchObject({ state: 'done' })
  })

  test('numbers beyond PostgreSQL’s integers harm nothing', async () => {
    const content = eventOf(firstApp, bound, {
      scope: 1,
      account_id: freshId(),
      usage_list: [1, 1e12, 1.5, -1e300, null],
    })
    await take(content)
    expect(await rowOf(content)).toMatchObject({ state: 'done' })
  })

  test('ids of more than 256 characters and with NUL are no ids: the same bytes are the same event', async () => {
    for (const eventId of ['x'.repeat(300), 'a\0b']) {
      const sealed = push(firstApp, eventOf(firstApp, 'other', {}, { event_id: eventId }))
      const before = await count(ground.database, 'events')
      expect((await receiving.push(sealed)).status).toBe(200)
      expect((await receiving.push(sealed)).status).toBe(200)
      expect((await count(ground.database, 'events')) - before).toBe(1)
    }
  })
})

describe('of a store app', () => {
  test('the newest ticket by its own time is kept', async () => {
    const ticket = (app_ticket: string, ts: string) => oldEventOf(firstApp, 'app_ticket', { app_ticket }, { ts })
    await take(ticket('newer', '1767229200.5'), ticket('older', '1767225600.9'), ticket('odd', 'yesterday'))
    const row = await one<{ ts: string }>(ground.database, 'SELECT ts FROM app_tickets WHERE app_id = $1', [
      firstApp.appId,
    ])
    expect(row.ts).toBe('1767229200.5')
  })

  test('the life cycle holds and releases a tenant, by the newest event', async () => {
    const tenant = { tenant_key: 'tk_life' }
    const at = (ts: string) => ({ ts })
    const open = () => count(ground.database, `holds WHERE tenant_key = 'tk_life' AND released_at IS NULL`)
    await take(oldEventOf(firstApp, 'app_status_change', { ...tenant, status: 'stop_by_tenant' }, at('200.1')))
    expect(await open()).toBe(1)
    await take(oldEventOf(firstApp, 'app_status_change', { ...tenant, status: 'start_by_tenant' }, at('100.1')))
    expect(await open()).toBe(1)
    await take(oldEventOf(firstApp, 'app_open', tenant, at('300')))
    expect(await open()).toBe(0)
    await take(oldEventOf(firstApp, 'app_uninstalled', tenant, at('400')))
    expect(await open()).toBe(1)
  })

  test('a life-cycle event that says nothing fails', async () => {
    const before = await count(ground.database, `events WHERE state = 'failed'`)
    await take(
      oldEventOf(firstApp, 'app_status_change', { tenant_key: 'tk_life', status: 'odd' }),
      oldEventOf(firstApp, 'app_uninstalled', {}),
    )
    expect((await count(ground.database, `events WHERE state = 'failed'`)) - before).toBe(2)
  })
})

describe('exactly once', () => {
  test('two workers on one database give each event its effect once', async () => {
    const ids = Array.from({ length: 60 }, freshId)
    await Promise.all(ids.map((id) => receiving.push(push(firstApp, eventOf(firstApp, created, checkBody(id))))))
    const workers = [work(), work(ground.another())]
    await eventually(() => count(ground.database, `events WHERE state = 'new'`)).toBe(0)
    await Promise.all(workers.map((worker) => worker.stop()))
    const perOrder = await count(
      ground.database,
      `timeline WHERE kind = 'received' AND background_check_id = ANY($1)`,
      [ids],
    )
    expect(perOrder).toBe(60)
  })

  test('a claim of a worker that died is taken again when it is over, and only then', async () => {
    const id = freshId()
    const content = eventOf(firstApp, created, checkBody(id))
    await receiving.push(push(firstApp, content))
    await ground.database.pool.query(
      `UPDATE events SET due_at = now() + interval '1 hour', attempts = 1 WHERE event_id = $1`,
      [content.header.event_id],
    )
    const worker = work()
    const other = eventOf(firstApp, created, checkBody(freshId()))
    await receiving.push(push(firstApp, other))
    worker.wake()
    await eventually(async () => (await rowOf(other)).state).toBe('done')
    expect((await rowOf(content)).state).toBe('new')
    await ground.database.pool.query('UPDATE events SET due_at = now() WHERE event_id = $1', [content.header.event_id])
    worker.wake()
    await eventually(async () => (await rowOf(content)).state).toBe('done')
    expect(await kindsOf(id)).toEqual(['received'])
  })

  test('an effect that was lost with its connection before the commit is done again, whole', async () => {
    const id = freshId()
    const content = eventOf(firstApp, created, checkBody(id))
    await receiving.push(push(firstApp, content))
    let killed = 0
    const fragile: Database = {
      ...ground.database,
      transaction: (run) =>
        ground.database.transaction(async (sql) => {
          const result = await run(sql)
          killed += 1
          if (killed <= 2) throw new Error('killed between effect and commit')
          return result
        }),
    }
    const worker = work(fragile)
    await expect
      .poll(
        async () => {
          worker.wake()
          return (await rowOf(content)).state
        },
        { timeout: 20_000, interval: 10 },
      )
      .toBe('done')
    expect(killed).toBe(3)
    expect(await kindsOf(id)).toEqual(['received'])
    expect(await tasksOf(id)).toBe(1)
  })

  test('trouble of the database fails no event, however long it lasts: its effect comes after it', async () => {
    const event = eventOf(firstApp, created, checkBody(freshId()))
    const { pool } = ground.database
    await pool.query('ALTER TABLE orders RENAME TO orders_away')
    try {
      await receiving.push(push(firstApp, event))
      await pool.query('UPDATE events SET attempts = 50, due_at = now() WHERE event_id = $1', [event.header.event_id])
      const worker = work()
      await eventually(async () => (await rowOf(event)).attempts).toBeGreaterThan(50)
      await worker.stop()
      expect(await rowOf(event)).toMatchObject({ state: 'new' })
    } finally {
      await pool.query('ALTER TABLE orders_away RENAME TO orders')
    }
    await pool.query('UPDATE events SET due_at = now() WHERE event_id = $1', [event.header.event_id])
    await settled()
    expect(await rowOf(event)).toMatchObject({ state: 'done' })
  })

  test.each([
    ['a connection that pg says was lost, without a code', new Error('Connection terminated unexpectedly')],
    ['a name that could not be looked up', Object.assign(new Error('getaddrinfo'), { code: 'EAI_AGAIN' })],
    ['a deadlock', stateOf('40P01')],
    ['a disk that is full', stateOf('53100')],
  ])('%s fails no event, however often it comes', async (_, failure) => {
    expect(await oftenTried({ transaction: failFirst(failure) })).toMatchObject({ state: 'new' })
  })

  test('a mistake of ours to which Node gives a code fails the event, as one without a code does', async () => {
    const sealer = { ...ground.sealer, seal: () => Buffer.from(undefined as unknown as string) }
    expect(await oftenTried({}, sealer)).toMatchObject({ state: 'failed' })
    expect(ground.lines.some((line) => line.includes('ERR_INVALID_ARG_TYPE'))).toBe(true)
  })

  test('values that are more than PostgreSQL takes fail the event', async () => {
    expect(await oftenTried({ transaction: failFirst(stateOf('54000')) })).toMatchObject({ state: 'failed' })
  })

  function stateOf(code: string): Error {
    return Object.assign(new pg.DatabaseError('refused', 0, 'error'), { code })
  }

  /** The transaction of the effect fails; that of what becomes of it does not. */
  function failFirst(failure: Error): Database['transaction'] {
    let failed = false
    return (run) => {
      if (failed) return ground.database.transaction(run)
      failed = true
      return Promise.reject(failure)
    }
  }

  /** What becomes of an event in an attempt that has many before it. */
  async function oftenTried(broken: Partial<Database>, sealer = ground.sealer): Promise<EventRow> {
    const event = eventOf(firstApp, created, checkBody(freshId()))
    const { pool } = ground.database
    await receiving.push(push(firstApp, event))
    await pool.query('UPDATE events SET attempts = 50 WHERE event_id = $1', [event.header.event_id])
    const database = { ...ground.database, ...broken }
    started.push(startInboxWorker({ database, sealer, log: ground.log, onEffect: () => undefined }))
    // Settled, or put off for longer than a claim lasts.
    const over = `events WHERE event_id = $1 AND (state <> 'new' OR due_at > now() + interval '40 s')`
    await eventually(() => count(ground.database, over, [event.header.event_id])).toBe(1)
    const row = await rowOf(event)
    await pool.query('DELETE FROM events WHERE event_id = $1', [event.header.event_id])
    return row
  }

  test('an effect that never succeeds fails after ten attempts and blocks nobody', async () => {
    const poison = eventOf(firstApp, created, checkBody(freshId()))
    await receiving.push(push(firstApp, poison))
    await ground.database.pool.query(`UPDATE events SET payload_sealed = '\\x09' WHERE event_id = $1`, [
      poison.header.event_id,
    ])
    const others = Array.from({ length: 5 }, () => eventOf(firstApp, created, checkBody(freshId())))
    for (const other of others) await receiving.push(push(firstApp, other))
    const worker = work()
    const states = () => Promise.all(others.map(async (other) => (await rowOf(other)).state))
    await eventually(states).toEqual(others.map(() => 'done'))
    await expect
      .poll(
        async () => {
          await ground.database.pool.query(
            `UPDATE events SET due_at = now() WHERE event_id = $1 AND state = 'new' AND due_at < now() + interval '1 minute'`,
            [poison.header.event_id],
          )
          worker.wake()
          return rowOf(poison)
        },
        { timeout: 20_000, interval: 10 },
      )
      .toMatchObject({ state: 'failed', attempts: 10 })
    expect((await rowOf(poison)).payload_sealed).not.toBeNull()
  })

  test('every handled type has an effect, and nothing else has', () => {
    expect(Object.keys(effects).toSorted()).toEqual(
      [bound, canceled, created, 'app_open', 'app_status_change', 'app_ticket', 'app_uninstalled'].toSorted(),
    )
  })
})

test('events are claimed in turns by tenant: a backlog of one does not delay another', async () => {
  const order: string[] = []
  const backlog = Array.from({ length: 120 }, () => eventOf(firstApp, 'other', {}, { tenant_key: 'tk_big' }))
  const small = eventOf(firstApp, 'other', {}, { tenant_key: 'tk_small' })
  await Promise.all(backlog.map((content) => receiving.push(push(firstApp, content))))
  await receiving.push(push(firstApp, small))
  const noted: Database = {
    ...ground.database,
    transaction: (run) =>
      ground.database.transaction((sql) =>
        run({
          query: ((asked: string | QueryConfig, values: unknown[] = []) => {
            if (typeof asked === 'string' && asked.startsWith('UPDATE events')) order.push(String(values[0]))
            return typeof asked === 'string' ? sql.query(asked, values) : sql.query(asked)
          }) as typeof sql.query,
        }),
      ),
  }
  const worker = work(noted)
  await eventually(() => count(ground.database, `events WHERE state = 'new'`)).toBe(0)
  await worker.stop()
  const { id } = await one<{ id: string }>(ground.database, 'SELECT id FROM events WHERE event_id = $1', [
    small.header.event_id,
  ])
  expect(order.length).toBe(121)
  expect(order.indexOf(id)).toBeLessThan(25)
})
