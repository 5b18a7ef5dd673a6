import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Api, itemsOf, readPages, secrets, sorted, startOperators, whileLocked } from './harness.js'
import * as rows from './rows.js'

let api: Api
beforeEach(async () => {
  api = await startOperators()
})
afterEach(() => api.stop())

const idsOf = (items: Array<Record<string, unknown>>) => items.map((item) => item['background_check_id'])
const list = async (query: string) => idsOf(itemsOf(await api.call('GET', `/v1/orders?${query}`)))
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

describe('an order', () => {
  it('is shown with its timeline and deliveries, and nothing of a person', async () => {
    await rows.addPolledOrder(api, '101', 'V-1')
    const [first] = await rows.addDeliveries(api, '101', [rows.stage('101', 'st-1'), rows.stage('101', 'st-2')])
    await rows.setOrder(api, '101', { attention: ['changed_after_sent'] })
    const { status, body } = await api.call('GET', '/v1/orders/101', { secret: secrets.read })
    expect(status).toBe(200)
    expect(body).toEqual({
      background_check_id: '101',
      app_id: 'cli_a',
      tenant_key: 'tk_a',
      account_id: '7001',
      package_id: '7002',
      vendor_order_id: 'V-1',
      state: 'ordered',
      attention: ['changed_after_sent'],
      next_poll_at: expect.stringMatching(rfc3339),
      created_at: expect.stringMatching(rfc3339),
      updated_at: expect.stringMatching(rfc3339),
      timeline: [{ at: expect.stringMatching(rfc3339), kind: 'received', detail: {} }],
      deliveries: [
        expect.objectContaining({ id: first, api: 'update_progress', state: 'pending' }),
        expect.objectContaining({ state: 'pending' }),
      ],
    })
    expect(JSON.stringify(body)).not.toMatch(rows.personal)
  })

  it('that failed says why', async () => {
    await rows.addFailedOrder(api, '101')
    const { body } = await api.call('GET', '/v1/orders/101')
    expect(body).toMatchObject({ state: 'failed', failure: rows.failure, next_poll_at: null, vendor_order_id: null })
  })

  it('that was erased is still shown', async () => {
    await rows.addOrder(api, '101')
    await rows.addDeliveries(api, '101', [rows.stage('101', 'st-1')])
    await rows.setOrder(api, '101', { data_key: null, payload_sealed: null })
    const { status, body } = await api.call('GET', '/v1/orders/101')
    expect([status, body['deliveries']]).toEqual([200, [expect.objectContaining({ request: null })]])
  })
})

describe('the list of orders', () => {
  it('is filtered by state, account, tenant and attention', async () => {
    await rows.addOrder(api, '101')
    await rows.addOrder(api, '102', 'tk_b')
    await rows.setOrder(api, '101', { attention: ['delivery_dead', 'vendor_time'], account_id: '7003' })
    await rows.setOrder(api, '102', { state: 'completed' })
    expect(await list('state=completed')).toEqual(['102'])
    expect(await list('state=received')).toEqual(['101'])
    expect(await list('account_id=7003')).toEqual(['101'])
    expect(await list('tenant_key=tk_b')).toEqual(['102'])
    expect(await list('attention=vendor_time')).toEqual(['101'])
    expect(await list('attention=true')).toEqual(['101'])
    expect(await list('attention=false')).toEqual(['102'])
    expect(await list('attention=vendor')).toEqual([])
    expect(await list('tenant_key=tk_b&state=received')).toEqual([])
  })

  it('finds ids of either side, whole or how they begin, and takes no wildcard', async () => {
    await rows.addPolledOrder(api, '10100', 'V_1%a')
    await rows.addPolledOrder(api, '10101', 'V-1\\b')
    await rows.addPolledOrder(api, '20200', "V'1")
    expect(sorted(await list('q=101'))).toEqual(['10100', '10101'])
    expect(await list('q=10101')).toEqual(['10101'])
    expect(await list('q=0101')).toEqual([])
    expect(sorted(await list('q=V'))).toEqual(['10100', '10101', '20200'])
    expect(await list('q=V_')).toEqual(['10100'])
    expect(await list('q=V_1%25')).toEqual(['10100'])
    expect(await list('q=V-1%5C')).toEqual(['10101'])
    expect(await list('q=%25')).toEqual([])
    expect(await list('q=_')).toEqual([])
    expect(await list("q=V'")).toEqual(['20200'])
  })

  it('tells neither timeline nor deliveries, nor anything of a person', async () => {
    await rows.addOrder(api, '101')
    const reply = await api.call('GET', '/v1/orders')
    expect(Object.keys(itemsOf(reply)[0] ?? {})).not.toEqual(expect.arrayContaining(['timeline']))
    expect(JSON.stringify(reply.body)).not.toMatch(rows.personal)
  })

  it('gives each order once, newest first, while others come in between and times are the same', async () => {
    const before = Array.from({ length: 23 }, (_, index) => String(1000 + index))
    for (const id of before) {
      await rows.addOrder(api, id)
      const second = Math.floor(Number(id) / 4)
      await rows.setOrder(api, id, { created_at: new Date(Date.UTC(2026, 0, 1, 0, 0, second % 60, 7)) })
    }
    const found = idsOf(await readPages(api, '/v1/orders?limit=5', (page) => rows.addOrder(api, String(9000 + page))))
    expect(sorted(found)).toEqual(before)
    const newestFirst = before.toSorted(
      (one, other) => Math.floor(Number(other) / 4) - Math.floor(Number(one) / 4) || Number(one) - Number(other),
    )
    expect(idsOf(await readPages(api, '/v1/orders?limit=4')).slice(-23)).toEqual(newestFirst)
  })

  it('ends with no cursor where the last page is full', async () => {
    for (const id of ['1', '2']) await rows.addOrder(api, id)
    expect((await api.call('GET', '/v1/orders?limit=2')).body['next_cursor']).toBeNull()
    expect((await api.call('GET', '/v1/orders?limit=200')).body['next_cursor']).toBeNull()
    expect((await api.call('GET', '/v1/orders?limit=1')).body['next_cursor']).toEqual(expect.any(String))
  })
})

describe('poll', () => {
  const schedule = async (id: string) =>
    (
      await api.parts.database.pool.query(
        'SELECT due_at <= now() AS due, nudged FROM poll_schedule WHERE background_check_id = $1',
        [id],
      )
    ).rows[0]

  it('makes an order due now and wakes the poller', async () => {
    await rows.addPolledOrder(api, '101', 'V-1')
    const { status, body } = await api.call('POST', '/v1/orders/101/poll', { secret: secrets.operate })
    expect([status, body['background_check_id']]).toEqual([202, '101'])
    expect(await schedule('101')).toEqual({ due: true, nudged: false })
    expect(api.hints).toEqual([['poll', '']])
  })

  it('of an order that is being polled asks for another right after', async () => {
    await rows.addPolledOrder(api, '101', 'V-1')
    await api.parts.database.pool.query('UPDATE poll_schedule SET claimed = true')
    expect((await api.call('POST', '/v1/orders/101/poll')).status).toBe(202)
    expect(await schedule('101')).toEqual({ due: false, nudged: true })
  })

  it('of an order that is not polled is 409', async () => {
    await rows.addOrder(api, '101')
    await rows.addPolledOrder(api, '102', 'V-2')
    await rows.cancelOrder(api, '102')
    for (const id of ['101', '102']) {
      const { status, body } = await api.call('POST', `/v1/orders/${id}/poll`)
      expect([status, body['type']]).toEqual([409, '/docs/problems#order-not-polled'])
    }
    expect(api.hints).toEqual([])
  })
})

describe('retry', () => {
  it('places a failed order again, looking for it at the vendor first', async () => {
    await rows.addFailedOrder(api, '101')
    const { status, body } = await api.call('POST', '/v1/orders/101/retry', { secret: secrets.operate })
    expect([status, body['state'], body['failure']]).toEqual([202, 'received', undefined])
    const tasks = await api.parts.database.pool.query('SELECT * FROM vendor_tasks')
    expect(tasks.rows).toEqual([
      expect.objectContaining({
        subject: 'order:101',
        action: 'place',
        tenant_key: 'tk_a',
        claimed: false,
        attempts: 0,
      }),
    ])
    expect(tasks.rows[0].ambiguous_at).toBeInstanceOf(Date)
    expect(tasks.rows[0].first_attempt_at).toBeNull()
    expect(api.hints).toEqual([['vendor', '']])
    const whole = await api.call('GET', '/v1/orders/101')
    expect(whole.body['timeline']).toMatchObject([{ kind: 'received' }, { kind: 'place_again' }])
  })

  it('at once by two takes effect once', async () => {
    await rows.addFailedOrder(api, '101')
    const replies = await whileLocked(api, 'SELECT 1 FROM orders FOR UPDATE', 3, () =>
      Promise.all([1, 2, 3].map(() => api.call('POST', '/v1/orders/101/retry'))),
    )
    expect(sorted(replies.map((reply) => reply.status))).toEqual(['202', '409', '409'])
  })

  it('of an order that did not fail is 409, and so is one that was erased', async () => {
    await rows.addOrder(api, '101')
    await rows.addFailedOrder(api, '102')
    await rows.setOrder(api, '102', { payload_sealed: null, data_key: null })
    const types = await Promise.all(['101', '102'].map((id) => api.call('POST', `/v1/orders/${id}/retry`)))
    expect(types.map(({ status, body }) => [status, body['type']])).toEqual([
      [409, '/docs/problems#order-not-failed'],
      [409, '/docs/problems#erased'],
    ])
    expect(api.hints).toEqual([])
  })
})

describe('the vendor’s notice', () => {
  const changed = (id: string) =>
    api.call('POST', `/v1/vendor/orders/${encodeURIComponent(id)}/changed`, { secret: secrets.notify })
  const remembered = async () =>
    (await api.parts.database.pool.query('SELECT vendor_order_id FROM vendor_nudges')).rows.map(
      (row) => row.vendor_order_id,
    )

  it('makes a known order due now', async () => {
    await rows.addPolledOrder(api, '101', 'V/1 %')
    const { status, body } = await changed('V/1 %')
    expect([status, body]).toEqual([202, { vendor_order_id: 'V/1 %' }])
    expect(api.hints).toEqual([['poll', '']])
    expect(await remembered()).toEqual([])
  })

  it('has an order that is completed asked for once more, and one that is erased left alone: 202 for both', async () => {
    for (const [id, number] of [
      ['101', 'V-101'],
      ['102', 'V-102'],
    ] as const) {
      await rows.addOrder(api, id)
      await rows.setOrder(api, id, { state: 'completed', vendor_order_id: number })
    }
    await rows.setOrder(api, '102', { payload_sealed: null, data_key: null, erased_at: new Date() })
    for (const number of ['V-101', 'V-102']) {
      const { status, body } = await changed(number)
      expect([status, body]).toEqual([202, { vendor_order_id: number }])
    }
    const polled = await api.parts.database.pool.query('SELECT background_check_id AS id FROM poll_schedule')
    expect(polled.rows).toEqual([{ id: '101' }])
    expect(api.hints).toEqual([['poll', '']])
    expect(await remembered()).toEqual([])
  })

  it('of an unknown order is remembered', async () => {
    for (const id of ['V-9', 'V-9', `'; DROP TABLE orders; --`, '__proto__']) {
      expect((await changed(id)).status).toBe(202)
    }
    expect(sorted(await remembered())).toEqual(sorted([`'; DROP TABLE orders; --`, 'V-9', '__proto__']))
    expect(api.hints).toEqual([])
  })

  it('is 202 whatever the id and the body are', async () => {
    for (const id of ['\0', 'x'.repeat(5000), 'a\nb']) expect((await changed(id)).status).toBe(202)
    expect(await remembered()).toEqual([])
    const path = '/v1/vendor/orders/V-1/changed'
    for (const type of ['application/json', 'text/xml']) {
      expect((await api.call('POST', path, { body: '<x', headers: { 'content-type': type } })).status).toBe(202)
    }
  })
})
