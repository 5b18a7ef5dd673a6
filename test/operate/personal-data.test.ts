import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Api, itemsOf, secrets, startOperators } from './harness.js'
import {
  addDeliveries,
  addFailedOrder,
  addOrder,
  addPolledOrder,
  cancelOrder,
  personal,
  setDelivery,
  setOrder,
  stage,
} from './rows.js'

const secret = {
  read: 'secret-that-may-only-read',
  operate: 'secret-that-may-only-operate',
  reveal: 'secret-that-may-only-reveal',
  erase: 'secret-that-may-only-erase',
}
const apiKeys = `all:${secrets.all},${Object.entries(secret)
  .map(([scope, text]) => `${scope}:${text}:${scope}`)
  .join(',')}`

let api: Api
beforeAll(async () => {
  api = await startOperators({ apiKeys })
})
afterAll(() => api.stop())
beforeEach(async () => {
  api.log.length = 0
  await api.parts.database.pool.query(
    'TRUNCATE orders, order_contacts, timeline, vendor_tasks, poll_schedule, deliveries, lanes, events, audit',
  )
})

const pathOf = (id: string) => `/v1/orders/${id}/personal-data`
const erase = (id: string, query = '', as = secret.erase) => api.call('DELETE', pathOf(id) + query, { secret: as })
const exportOf = (id: string, as = secret.reveal) => api.call('GET', pathOf(id), { secret: as })
const audit = async () =>
  (await api.parts.database.pool.query('SELECT actor, via, action, subject, outcome, after FROM audit ORDER BY id'))
    .rows
const problemOf = (reply: { status: number; body: Record<string, unknown> }) => [
  reply.status,
  String(reply.body['type']).replace('/docs/problems#', ''),
]

describe('DELETE /v1/orders/{id}/personal-data', () => {
  it('erases an order that has ended, and shows what is left', async () => {
    await addOrder(api, '101')
    await cancelOrder(api, '101')
    const reply = await erase('101')
    expect(reply.status).toBe(202)
    expect(reply.body).toMatchObject({ background_check_id: '101', state: 'canceled', attention: [] })
    expect(reply.body['erased_at']).toMatch(/\.\d{3}Z$/)
    const whole = await api.call('GET', '/v1/orders/101')
    expect(whole.body['timeline']).toMatchObject([
      { kind: 'received' },
      { kind: 'canceled_by_customer' },
      { kind: 'erased' },
    ])
    expect((await erase('101')).body).toEqual(reply.body)
    expect(await audit()).toMatchObject(
      Array.from({ length: 2 }, () => ({
        actor: 'erase',
        via: 'api',
        action: 'orders.erase',
        subject: 'order:101',
        outcome: 'done',
      })),
    )
    expect(api.log.join('')).not.toMatch(personal)
  })

  it('refuses an open order and one that failed, and ends them here with force', async () => {
    await addPolledOrder(api, '101', 'V-1')
    await addFailedOrder(api, '102')
    for (const id of ['101', '102']) {
      expect(problemOf(await erase(id))).toEqual([409, 'order-open'])
      expect(problemOf(await erase(id, '?force=false'))).toEqual([409, 'order-open'])
      const forced = await erase(id, '?force=true')
      expect([forced.status, forced.body['state'], forced.body['next_poll_at']]).toEqual([202, 'canceled', null])
      expect(forced.body).not.toHaveProperty('failure')
    }
    expect((await audit()).map((entry) => entry.outcome)).toEqual([
      'refused',
      'refused',
      'done',
      'refused',
      'refused',
      'done',
    ])
  })

  it('answers 404 for an id that nobody knows, and says which parameter does not fit', async () => {
    expect((await erase('404')).status).toBe(404)
    expect((await erase('canary')).status).toBe(404)
    const reply = await erase('404', '?force=canary')
    expect(problemOf(reply)).toEqual([400, 'invalid-request'])
    expect(reply.body['errors']).toEqual([{ path: 'force', message: 'expected true or false' }])
  })

  it('takes a key with the scope erase, and no other', async () => {
    await addOrder(api, '101')
    for (const other of [secret.read, secret.operate, secret.reveal]) {
      expect((await erase('101', '?force=true', other)).status).toBe(403)
    }
    expect((await api.call('GET', pathOf('101'))).status).toBe(200)
    expect((await erase('101', '?force=true', secrets.all)).status).toBe(202)
  })
})

describe('what was erased', () => {
  it('shows its deliveries without requests, revealed or not, and refuses to send, place, stop or poll', async () => {
    await addPolledOrder(api, '101', 'V-1')
    const [sent = '', dead = ''] = await addDeliveries(api, '101', [stage('101', 'a'), stage('101', 'b')])
    await setDelivery(api, sent, { state: 'delivered', due_at: null, settled_at: new Date() })
    await setDelivery(api, dead, { state: 'dead', due_at: null, dead_class: 'vendor' })
    await erase('101', '?force=true')
    const whole = await api.call('GET', '/v1/orders/101')
    expect(whole.body['deliveries']).toMatchObject([
      { id: sent, state: 'delivered', request: null },
      { id: dead, state: 'superseded', request: null },
    ])
    const revealed = await api.call('GET', `/v1/deliveries/${sent}?reveal=true`)
    expect([revealed.status, revealed.body['request']]).toEqual([200, null])
    const writes = [
      '/orders/101/retry',
      '/orders/101/cancel',
      '/orders/101/result/resend',
      '/orders/101/stages/a/resend',
    ]
    for (const path of [...writes, `/deliveries/${dead}/retry`, `/deliveries/${sent}/retry`]) {
      expect(problemOf(await api.call('POST', `/v1${path}`))).toEqual([409, 'erased'])
    }
    expect(problemOf(await api.call('POST', '/v1/orders/101/poll'))).toEqual([409, 'order-not-polled'])
  })
})

describe('GET /v1/orders/{id}/personal-data', () => {
  it('has all that is held about a person, and says in the audit who read it', async () => {
    await addPolledOrder(api, '101', 'V-1')
    await addDeliveries(api, '101', [stage('101', 'a')])
    const payload = api.parts.sealer.seal(Buffer.from('{"event":{"note":"canary-event"}}'), 'event:cli_a:ev-9')
    await api.parts.database.pool.query(
      `INSERT INTO events (app_id, event_id, type, tenant_key, create_time, state, settled_at, due_at, payload_sealed, background_check_id)
       VALUES ('cli_a', 'ev-9', 'hire.eco_background_check.created_v1', 'tk_a', '1', 'failed', now(), NULL, $1, '101')`,
      [payload],
    )
    await api.parts.database.pool.query('DELETE FROM vendor_tasks')
    await cancelOrder(api, '101')
    const reply = await exportOf('101')
    expect(reply.status).toBe(200)
    expect(reply.body).toEqual({
      background_check_id: '101',
      exported_at: expect.stringMatching(/Z$/),
      order: {
        account_id: '7001',
        package_id: '7002',
        additional_item_ids: [],
        candidate: {
          name: 'Canary Candidate',
          email: 'canary@example.com',
          mobile: { code: '86', number: '13800138000' },
        },
        contact: {},
        custom_fields: { field: 'canary-field' },
        comment: 'canary-comment',
      },
      cancel_reason: 'canary-comment',
      deliveries: [
        { id: expect.any(String), api: 'update_progress', state: 'superseded', request: stage('101', 'a').body },
      ],
      events: [
        {
          id: expect.any(String),
          type: 'hire.eco_background_check.created_v1',
          state: 'failed',
          received_at: expect.stringMatching(/Z$/),
          payload: { event: { note: 'canary-event' } },
        },
      ],
    })
    expect(await audit()).toEqual([
      {
        actor: 'reveal',
        via: 'api',
        action: 'orders.export',
        subject: 'order:101',
        outcome: 'done',
        after: { deliveries: 1, events: 1 },
      },
    ])
    expect(api.log.join('')).not.toMatch(personal)
  })

  it('says why an order failed, and null for what never came', async () => {
    await addFailedOrder(api, '101')
    await setOrder(api, '101', { payload_sealed: null })
    expect((await exportOf('101')).body).toMatchObject({
      order: null,
      failure: 'the vendor refused the order',
      events: [],
    })
  })

  it('is 409 once it is erased, 404 for an unknown id, and 403 without the scope reveal', async () => {
    await addOrder(api, '101')
    await erase('101', '?force=true')
    expect(problemOf(await exportOf('101'))).toEqual([409, 'erased'])
    expect((await exportOf('404')).status).toBe(404)
    for (const other of [secret.read, secret.operate, secret.erase])
      expect((await exportOf('101', other)).status).toBe(403)
    expect((await audit()).filter((entry) => entry.action === 'orders.export')).toEqual([])
  })
})

describe('POST /v1/orders/search', () => {
  const search = (body: object, query = '', as = secret.reveal) =>
    api.call('POST', `/v1/orders/search${query}`, {
      secret: as,
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
  const idsOf = async (body: object) => itemsOf(await search(body)).map((item) => item['background_check_id'])

  it('finds by phone number and by mail address, newest first, and no more once it is erased', async () => {
    for (const id of ['101', '102', '103']) await addOrder(api, id)
    await setOrder(api, '101', { created_at: new Date('2026-01-03') })
    await setOrder(api, '102', { created_at: new Date('2026-01-02') })
    await setOrder(api, '103', { created_at: new Date('2026-01-01') })
    for (const wanted of [
      { mobile: '+86 138 0013 8000' },
      { mobile: '13800138000' },
      { email: 'Canary@Example.com' },
    ]) {
      expect(await idsOf(wanted)).toEqual(['101', '102', '103'])
    }
    await erase('102', '?force=true')
    expect(await idsOf({ mobile: '13800138000' })).toEqual(['101', '103'])
    expect(await idsOf({ mobile: '13800138001' })).toEqual([])
  })

  it('answers orders as the list does, page by page', async () => {
    for (const id of ['101', '102', '103']) await addOrder(api, id)
    const listed = await api.call('GET', '/v1/orders')
    expect((await search({ mobile: '13800138000' })).body).toEqual(listed.body)
    const first = await search({ mobile: '13800138000' }, '?limit=2')
    expect(itemsOf(first)).toHaveLength(2)
    const rest = await search({ mobile: '13800138000' }, `?limit=2&cursor=${String(first.body['next_cursor'])}`)
    expect([...itemsOf(first), ...itemsOf(rest)]).toEqual(itemsOf(listed))
    expect(rest.body['next_cursor']).toBeNull()
  })

  it.each([
    [{}, 'body'],
    [{ mobile: '13800138000', email: 'canary@example.com' }, 'body'],
    [{ mobile: 'canary' }, 'mobile'],
    [{ mobile: '138' }, 'mobile'],
    [{ mobile: 13_800_138_000 }, 'mobile'],
    [{ mobile: { code: '86', number: '13800138000' } }, 'mobile'],
    [{ email: 'canary' }, 'email'],
    [{ email: 'canary\u0000@example.com' }, 'email'],
    [{ canary: '13800138000', mobile: '13800138000' }, 'body'],
  ])('refuses %j by naming the path, and never the value', async (body, path) => {
    const reply = await search(body)
    expect(problemOf(reply)).toEqual([400, 'invalid-request'])
    expect(reply.body['errors']).toMatchObject([{ path }])
    expect(JSON.stringify(reply.body)).not.toMatch(/13800138000|canary@|canary"/)
    expect(await audit()).toEqual([])
  })

  it('needs the scope reveal, and is noted without what was looked for', async () => {
    await addOrder(api, '101')
    for (const other of [secret.read, secret.operate, secret.erase]) {
      expect((await search({ mobile: '13800138000' }, '', other)).status).toBe(403)
    }
    await search({ mobile: '13800138000' })
    expect(await audit()).toEqual([
      {
        actor: 'reveal',
        via: 'api',
        action: 'orders.search',
        subject: 'orders',
        outcome: 'done',
        after: { kind: 'mobile', matches: 1 },
      },
    ])
    expect(JSON.stringify(await audit()) + api.log.join('')).not.toMatch(personal)
  })
})
