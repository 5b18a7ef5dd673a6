import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { OrderBody } from '../../src/flow/map.js'
import { mask } from '../../src/operate/api/masking.js'
import { type Api, itemsOf, readPages, secrets, startOperators } from './harness.js'
import * as rows from './rows.js'

let api: Api
beforeEach(async () => {
  api = await startOperators()
  await rows.addOrder(api, '101')
})
afterEach(() => api.stop())

const read = (id: string | undefined, query = '', secret = secrets.all) =>
  api.call('GET', `/v1/deliveries/${id}${query}`, { secret })
const list = async (query: string) =>
  itemsOf(await api.call('GET', `/v1/deliveries?${query}`)).map((item) => item['id'])

const maskedRequest = {
  background_check_id: '101',
  stage_id: 'st-1',
  stage_name: mask,
  stage_time: '1767315600000',
  result: mask,
  report_file_list: [{ report_name: mask, report_url: mask, report_url_type: 1 }],
}

describe('a delivery', () => {
  it('that waits says when it goes on, masked', async () => {
    const [id] = await rows.addDeliveries(api, '101', [rows.stage('101', 'st-1')])
    const { status, body } = await read(id, '', secrets.read)
    expect(status).toBe(200)
    expect(body).toEqual({
      id,
      api: 'update_progress',
      app_id: 'cli_a',
      tenant_key: 'tk_a',
      background_check_id: '101',
      state: 'pending',
      confirmed: false,
      attempts: 0,
      request: maskedRequest,
      created_at: expect.stringMatching(/\.\d{3}Z$/),
      next_attempt_at: expect.stringMatching(/\.\d{3}Z$/),
    })
  })

  it('that is dead says why and when nothing more', async () => {
    const [id = ''] = await rows.addDeliveries(api, '101', [rows.stage('101', 'st-1')])
    const last_error = { code: 1002862, http_status: 400, log_id: 'log-1', reason: 'Feishu does not know this order' }
    await rows.setDelivery(api, id, { state: 'dead', dead_class: 'feishu', attempts: 3, last_error, due_at: null })
    const { body } = await read(id)
    expect(body).toMatchObject({ state: 'dead', class: 'feishu', attempts: 3 })
    expect(body['last_error']).toEqual({ ...last_error, class: 'feishu' })
    expect(Object.keys(body)).not.toEqual(expect.arrayContaining(['next_attempt_at']))
  })

  it('that was delivered says when, and whether Feishu said so itself', async () => {
    const [id = ''] = await rows.addDeliveries(api, '101', [rows.stage('101', 'st-1')])
    const settled_at = new Date('2026-01-02T03:04:05.006Z')
    await rows.setDelivery(api, id, { state: 'delivered', confirmed: true, due_at: null, settled_at })
    expect((await read(id)).body).toMatchObject({ confirmed: true, delivered_at: '2026-01-02T03:04:05.006Z' })
  })

  it.each([
    ['app', '', ''],
    ['tenant', 'tk_a', ''],
    ['method', 'tk_a', 'update_progress'],
  ])('shows the open hold of its %s', async (scope, tenantKey, method) => {
    const [id] = await rows.addDeliveries(api, '101', [rows.stage('101', 'st-1')])
    await rows.addHold(api, 'tenant', 'tk_other')
    await rows.addHold(api, 'method', 'tk_a', 'cancel')
    expect((await read(id)).body['hold']).toBeUndefined()
    const hold = await rows.addHold(api, scope, tenantKey, method)
    expect((await read(id)).body['hold']).toEqual({
      id: hold,
      scope,
      reason: 'the app is not installed',
      code: 99991662,
      created_at: expect.any(String),
    })
    await api.call('POST', `/v1/holds/${hold}/release`)
    expect((await read(id)).body['hold']).toBeUndefined()
  })

  it('in a list shows the hold of its own tenant only', async () => {
    await rows.addOrder(api, '102', 'tk_b')
    await rows.addDeliveries(api, '101', [rows.stage('101', 'st-1')])
    await rows.addDeliveries(api, '102', [rows.stage('102', 'st-1')])
    const hold = await rows.addHold(api, 'tenant', 'tk_b')
    const items = itemsOf(await api.call('GET', '/v1/deliveries'))
    expect(items.map((item) => item['hold'])).toEqual([expect.objectContaining({ id: hold }), undefined])
  })

  it('whose request does not open hides neither itself nor its neighbours', async () => {
    const [first = '', second] = await rows.addDeliveries(api, '101', [
      rows.stage('101', 'st-1'),
      rows.stage('101', 'st-2'),
    ])
    await rows.setDelivery(api, first, { body_sealed: Buffer.from([1, 1, 120, 0]) })
    const items = itemsOf(await api.call('GET', '/v1/deliveries'))
    expect(items.map((item) => [item['id'], item['request'] === null])).toEqual([
      [second, false],
      [first, true],
    ])
    expect(api.log.join('')).toContain('delivery.unreadable')
  })
})

describe('a request', () => {
  it('is masked everywhere without reveal', async () => {
    const [id] = await rows.addDeliveries(api, '101', [
      rows.stage('101', 'st-1'),
      {
        api: 'update_result',
        body: {
          background_check_id: '101',
          result: 'canary-result',
          result_time: '1767402000000',
          report_file_list: [],
        },
      },
    ])
    for (const path of [
      `/v1/deliveries/${id}`,
      `/v1/deliveries/${id}?reveal=false`,
      '/v1/deliveries',
      '/v1/orders/101',
    ]) {
      const text = JSON.stringify((await api.call('GET', path)).body)
      expect(text).not.toMatch(/canary/)
      expect(text).toContain(mask)
    }
    expect(api.log.join('')).not.toMatch(/canary|audit\.reveal/)
  })

  it('is revealed to a key with the scope, and the log says to which', async () => {
    const [id] = await rows.addDeliveries(api, '101', [rows.stage('101', 'st-1')])
    const { status, body } = await read(id, '?reveal=true', secrets.reveal)
    expect([status, body['request']]).toEqual([200, rows.stage('101', 'st-1').body])
    const lines = api.log.map((line) => JSON.parse(line)).filter((line) => line.event === 'audit.reveal')
    expect(lines).toEqual([expect.objectContaining({ key: 'reveal', delivery_id: id })])
    expect(api.log.join('')).not.toContain('canary')
  })

  it('is not revealed without the scope, which the refusal names', async () => {
    const [id] = await rows.addDeliveries(api, '101', [rows.stage('101', 'st-1')])
    const { status, body } = await read(id, '?reveal=true', secrets.read)
    expect([status, body['detail']]).toEqual([403, 'the key read lacks the scope reveal'])
    expect((await read(id, '?reveal=yes')).status).toBe(400)
    expect((await read(id, '?reveal=true&reveal=false')).status).toBe(400)
    expect(api.log.join('')).not.toContain('audit.reveal')
  })
})

describe('the list of deliveries', () => {
  it('is filtered by state, class, api and tenant', async () => {
    await rows.addOrder(api, '102', 'tk_b')
    const [one = '', two] = await rows.addDeliveries(api, '101', [
      rows.stage('101', 'st-1'),
      { api: 'cancel', body: { background_check_id: '101' } },
    ])
    const [three] = await rows.addDeliveries(api, '102', [rows.stage('102', 'st-1')])
    await rows.setDelivery(api, one, { state: 'dead', dead_class: 'ours' })
    expect(await list('state=dead')).toEqual([one])
    expect(await list('class=ours')).toEqual([one])
    expect(await list('class=vendor')).toEqual([])
    expect(await list('api=cancel')).toEqual([two])
    expect(await list('api=custom_fields.batch_update')).toEqual([])
    expect(await list('tenant_key=tk_b&state=pending')).toEqual([three])
    expect(await list('')).toEqual([three, two, one])
  })

  it('gives each delivery once, newest first, while others come in between', async () => {
    const stages = Array.from({ length: 11 }, (_, index) => rows.stage('101', `st-${index}`))
    const before = await rows.addDeliveries(api, '101', stages)
    const items = await readPages(api, '/v1/deliveries?limit=3', async (page) => {
      await rows.addOrder(api, `20${page}`)
      await rows.addDeliveries(api, `20${page}`, [rows.stage(`20${page}`, 'st-1')])
    })
    expect(items.map((item) => item['id'])).toEqual(before.toReversed())
  })
})

describe('a dead stage', () => {
  const result: OrderBody = {
    api: 'update_result',
    body: { background_check_id: '101', result: 'canary-result', result_time: '1767402000000' },
  }
  const retry = (id: string) => api.call('POST', `/v1/deliveries/${id}/retry`)

  it('waits until it is known whether Feishu took the result after it', async () => {
    const [stage = '', end = ''] = await rows.addDeliveries(api, '101', [rows.stage('101', 'st-1'), result])
    await rows.setDelivery(api, stage, { state: 'dead', dead_class: 'ours', due_at: null })
    await rows.setDelivery(api, end, { state: 'dead', dead_class: 'unconfirmed', ambiguous: true, due_at: null })
    expect(await retry(stage)).toMatchObject({
      status: 409,
      body: { detail: 'Feishu may have taken the update_result after it: send that again first' },
    })
    expect((await retry(end)).status).toBe(202)
  })

  it('goes again when Feishu surely lacks the result after it', async () => {
    const [stage = '', end = ''] = await rows.addDeliveries(api, '101', [rows.stage('101', 'st-1'), result])
    await rows.setDelivery(api, stage, { state: 'dead', dead_class: 'ours', due_at: null })
    await rows.setDelivery(api, end, { state: 'dead', dead_class: 'ours', due_at: null })
    expect((await retry(stage)).status).toBe(202)
  })
})
