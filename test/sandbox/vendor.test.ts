import { afterEach, describe, expect, test } from 'vitest'
import { type Step, startSandboxVendor, type VendorOptions } from '../../src/sandbox/index.js'
import { eventually, type Json, send, stopAll, stopLater } from './support.js'

afterEach(stopAll)

const apiKey = 'vendor-key'
const checkId = '7400000000000000202'
const placed = {
  background_check_id: checkId,
  account_id: '7400000000000000101',
  tenant_key: 'tk_one',
  package_id: 'pkg-std-01',
  additional_item_ids: ['ext-edu-02'],
  candidate: {
    name: 'Lin',
    first_name: '',
    last_name: null,
    email: 'l@example.com',
    mobile: { code: '86', number: '13000000000' },
  },
  contact: { name: 'Hr', email: null, mobile: null },
  custom_fields: { degree: 'bachelor' },
  comment: 'urgent',
}
const account = {
  account_id: '7400000000000000101',
  tenant_key: 'tk_one',
  account_name: 'A',
  usage_list: [1],
  custom_fields: {},
}

async function start(options: Partial<VendorOptions> = {}) {
  const vendor = await stopLater(startSandboxVendor({ apiKey, ...options }))
  const call = (method: string, path: string, body?: Json, headers: Record<string, string> = {}) =>
    send(vendor.url + path, method, body, { authorization: `Bearer ${apiKey}`, ...headers })
  const place = (body: Json = placed) =>
    call('POST', '/orders', body, { 'idempotency-key': String(body.background_check_id) })
  const placeMany = async (count: number) => {
    for (let index = 0; index < count; index++)
      await place({ ...placed, background_check_id: String(7_000_000_000_000 + index) })
  }
  return { vendor, call, place, placeMany }
}
const shown = (answer: { json: Json }, name = 'orders') => answer.json[name] as Json[]

test('places an order once for each key, however often it is asked', async () => {
  const { vendor, call, place } = await start()
  const answers = await Promise.all([place(), place(), place()])
  expect(answers.map(({ status, json }) => [status, json])).toEqual(Array(3).fill([201, { order_id: 'V-1' }]))
  expect(vendor.orderCount(checkId)).toBe(1)
  expect((await call('GET', '/orders/V-1')).json).toEqual({
    order_id: 'V-1',
    background_check_id: checkId,
    status: 'pending',
    stages: [],
  })
  expect(vendor.order(checkId).placed).toEqual(placed)
  await place({ ...placed, comment: 'other' })
  expect(vendor.calls({ operation: 'orders.create' }).at(-1)).toMatchObject({ differs: true, applied: false })
})

test("never gives a tenant another tenant's order", async () => {
  const { vendor, place } = await start()
  await place()
  const stranger = await place({ ...placed, tenant_key: 'tk_two' })
  expect([stranger.status, (stranger.json.error as Json).message]).toEqual([
    422,
    `Idempotency-Key ${checkId} is another tenant's`,
  ])
  expect(vendor.orderCount(checkId)).toBe(1)
})

test('makes order after order when it ignores keys, and the look-up finds them', async () => {
  const { vendor, call, place } = await start({ idempotencyKeys: 'ignored' })
  const find = () => call('GET', `/orders?background_check_id=${checkId}`)
  expect((await find()).json).toEqual({ orders: [] })
  await place()
  await place()
  expect(vendor.orderCount(checkId)).toBe(2)
  expect(shown(await find()).map((order) => order.order_id)).toEqual(['V-1', 'V-2'])
})

describe('refuses', () => {
  test.each<[string, Json, Record<string, string>, number, RegExp]>([
    ['a wrong key', placed, { authorization: 'Bearer x', 'idempotency-key': checkId }, 401, /Bearer <VENDOR_API_KEY>/],
    ['no Idempotency-Key', placed, {}, 422, /Idempotency-Key: expected 7400000000000000202; it came as nothing/],
    ['another Idempotency-Key', placed, { 'idempotency-key': '1' }, 422, /it came as 1/],
    ['an unknown field', { ...placed, priority: 1 }, {}, 422, /priority/],
    ['an id as a number', { ...placed, background_check_id: 1 }, {}, 422, /background_check_id: .*it came as 1/],
    ['no candidate', { ...placed, candidate: undefined }, {}, 422, /candidate: .*nothing/],
    ['custom fields as a list', { ...placed, custom_fields: [] }, {}, 422, /custom_fields/],
    ['another content type', placed, { 'content-type': 'text/plain' }, 422, /Content-Type/],
  ])('%s', async (_, body, headers, status, message) => {
    const { vendor, call } = await start()
    const answer = await call('POST', '/orders', body, headers)
    expect(answer.status).toBe(status)
    expect((answer.json.error as Json).message).toMatch(message)
    expect(vendor.orders()).toEqual([])
  })

  test('paths and methods that do not exist', async () => {
    const { call } = await start()
    expect((await call('GET', '/orders/V-9')).status).toBe(404)
    expect((await call('POST', '/orders/V-9/cancel', { reason: 'x' })).status).toBe(404)
    expect((await call('GET', '/nothing')).status).toBe(404)
    expect((await call('DELETE', '/orders/V-9')).status).toBe(405)
    expect((await call('GET', '/orders')).status).toBe(422)
  })
})

test('binds accounts at once, with a catalog, or when they are confirmed', async () => {
  const catalog = { packages: [{ id: 'p', name: 'P' }], additional_items: [], custom_fields: [] }
  const { vendor, call } = await start({ confirmAccounts: 'by_hand', catalog: () => catalog })
  const bind = () => call('POST', '/accounts', account, { 'idempotency-key': account.account_id })
  expect(await bind()).toMatchObject({ status: 202, json: { customer_id: null } })
  vendor.confirmAccount(account.account_id)
  expect(await bind()).toMatchObject({ status: 200, json: { customer_id: 'C-1', catalog } })
  expect(vendor.account(account.account_id)).toMatchObject({ asked: 2, confirmed: true, customFields: {} })
  expect((await call('POST', '/accounts', account)).status).toBe(422)
})

test('runs the script of an order by hand', async () => {
  const script: Step[] = [
    { stage: { id: 's1', name: '身份核验', time: 1767315600000 } },
    { stage: { name: '学历', en_name: 'Education', result: '绿灯', reports: [{ name: 'stage.pdf' }] } },
    { result: { result: '无差异', time: 1767402000000, reports: [{ name: 'final.pdf', type: 2 }] } },
  ]
  const { vendor, call, place } = await start({ scenario: () => script })
  await place()
  const read = async () => (await call('GET', '/orders/V-1')).json
  expect(vendor.advance(checkId)).toBe(true)
  expect(await read()).toMatchObject({
    status: 'in_progress',
    stages: [{ id: 's1', name: '身份核验', time: 1767315600000 }],
  })
  vendor.advance('V-1')
  vendor.advance('V-1')
  expect(vendor.advance('V-1')).toBe(false)
  const order = (await read()) as { stages: Json[]; result: Json }
  expect(order).toMatchObject({
    status: 'completed',
    result: { result: '无差异', time: 1767402000000, reports: [{ type: 2 }] },
  })
  expect(order.stages[1]).toMatchObject({ id: 'st-2', en_name: 'Education', reports: [{ name: 'stage.pdf', type: 1 }] })
})

test('runs timed steps by itself, and none after a cancel', async () => {
  const { vendor, place } = await start({
    scenario: () => [
      { afterMs: 1, stage: { name: 'a' } },
      { afterMs: 1, canceled: true },
    ],
  })
  await place()
  await eventually(() => vendor.order(checkId).status).toBe('canceled')
  expect(vendor.order(checkId)).toMatchObject({ canceledBy: 'vendor', stages: [{ name: 'a' }] })
  vendor.setScript(checkId, [{ stage: { name: 'late' } }])
  expect(vendor.advance(checkId)).toBe(false)
})

test('is told what happens by the test itself', async () => {
  const { vendor, call, place } = await start()
  await place()
  vendor.addStage('V-1', { name: 'a' })
  vendor.complete('V-1', { result: '红灯' })
  expect((await call('GET', '/orders/V-1')).json).toMatchObject({ status: 'completed', result: { result: '红灯' } })
  vendor.setOrder('V-1', { status: 'in_progress', stages: [] })
  expect((await call('GET', '/orders/V-1')).json).toMatchObject({ status: 'in_progress', stages: [] })
  vendor.stopOrder('V-1')
  expect(vendor.order('V-1').canceledBy).toBe('vendor')
  expect(() => vendor.order('V-9')).toThrow(/no order V-9/)
})

test('takes a cancel as often as it comes, and none of a completed order', async () => {
  const { vendor, call, place } = await start()
  await place()
  const cancel = (id: string) => call('POST', `/orders/${id}/cancel`, { reason: 'withdrew' })
  expect((await cancel('V-1')).status).toBe(200)
  expect((await cancel('V-1')).status).toBe(200)
  expect(vendor.order('V-1')).toMatchObject({ status: 'canceled', canceledBy: 'service', cancelReason: 'withdrew' })
  await place({ ...placed, background_check_id: '7400000000000000203' })
  vendor.complete('V-2')
  expect((await cancel('V-2')).status).toBe(409)
})

test('reads up to 100 orders at once, and leaves out what it does not know', async () => {
  const { vendor, call, placeMany } = await start()
  await placeMany(2)
  expect(shown(await call('GET', '/orders?ids=V-2,V-9,V-1')).map((order) => order.order_id)).toEqual(['V-2', 'V-1'])
  const many = Array.from({ length: 101 }, (_, index) => `V-${index}`).join(',')
  expect((await call('GET', `/orders?ids=${many}`)).status).toBe(422)
  vendor.setCapabilities({ batch: false })
  expect((await call('GET', '/orders?ids=V-1')).status).toBe(404)
})

test('feeds changes by cursor, each order once at its last change', async () => {
  const { vendor, call, placeMany } = await start()
  await placeMany(5)
  const read = (cursor: unknown, limit = 2) => call('GET', `/orders?changed_after=${String(cursor)}&limit=${limit}`)
  const seen: unknown[] = []
  let page = await read('')
  for (;;) {
    seen.push(...shown(page).map((order) => order.order_id))
    if (page.json.has_more !== true) break
    page = await read(page.json.cursor)
  }
  expect(seen).toEqual(['V-1', 'V-2', 'V-3', 'V-4', 'V-5'])
  expect((await read(page.json.cursor)).json).toEqual({ orders: [], cursor: page.json.cursor, has_more: false })
  expect((await read('', 5)).json.has_more).toBe(false)
  vendor.addStage('V-2', { name: 'a' })
  vendor.addStage('V-2', { name: 'b' })
  expect(shown(await read(page.json.cursor))).toMatchObject([
    { order_id: 'V-2', stages: [{ name: 'a' }, { name: 'b' }] },
  ])
  expect((await read('nonsense')).status).toBe(422)
  vendor.forgetCursors()
  expect((await read(page.json.cursor)).status).toBe(410)
  expect(shown(await read('', 100))).toHaveLength(5)
  vendor.setCapabilities({ changes: false })
  expect((await read('')).status).toBe(404)
})

test('feeds tripartite agreements', async () => {
  const { vendor, call } = await start()
  const agreement = { id: '7400000000000000301', tenant_key: 'tk_one', state: 3, modify_time: 1767315600000 }
  vendor.setAgreement(agreement)
  const first = await call('GET', '/tripartite-agreements?changed_after=')
  expect(shown(first, 'agreements')).toEqual([agreement])
  vendor.setAgreement({ ...agreement, state: 4 })
  const next = await call('GET', `/tripartite-agreements?changed_after=${String(first.json.cursor)}`)
  expect(shown(next, 'agreements')).toMatchObject([{ state: 4 }])
  expect((await call('GET', '/tripartite-agreements')).status).toBe(422)
  expect((await call('GET', '/tripartite-agreements?changed_after=nonsense')).status).toBe(422)
  vendor.forgetCursors()
  expect((await call('GET', `/tripartite-agreements?changed_after=${String(first.json.cursor)}`)).status).toBe(410)
  vendor.setCapabilities({ tripartite: false })
  expect((await call('GET', '/tripartite-agreements?changed_after=')).status).toBe(404)
})

test('says what it can do, or nothing', async () => {
  const { vendor, call } = await start({ capabilities: { tripartite: false } })
  expect((await call('GET', '/capabilities')).json).toEqual({ batch: true, changes: true, tripartite: false })
  vendor.setCapabilities('none')
  expect((await call('GET', '/capabilities')).status).toBe(404)
  expect((await call('GET', '/orders?changed_after=')).status).toBe(404)
})

test('serves its reports as PDF, to GET and HEAD, without a key', async () => {
  const { vendor, place } = await start()
  await place()
  const url = vendor.complete('V-1').reports?.[0]?.url ?? ''
  const report = await fetch(url)
  expect(report.headers.get('content-type')).toBe('application/pdf')
  expect(Buffer.from(await report.arrayBuffer()).toString('latin1')).toMatch(/^%PDF-1\.4[\s\S]*%%EOF\n$/)
  const head = await fetch(url, { method: 'HEAD' })
  expect(head.headers.get('content-length')).toBe(report.headers.get('content-length'))
})

test('rotates report links when asked to', async () => {
  const { vendor, call, place } = await start({ rotateReportLinks: true })
  await place()
  vendor.complete('V-1')
  const link = async () =>
    ((await call('GET', '/orders/V-1')).json.result as { reports: Array<{ url: string }> }).reports[0]?.url ?? ''
  const [one, two] = [await link(), await link()]
  expect(one).not.toBe(two)
  expect((await fetch(two)).status).toBe(200)
})

test('nudges the service after each change', async () => {
  const service = await start()
  const { vendor, place } = await start({ notify: { url: service.vendor.url, key: 'notify-key' } })
  await place()
  vendor.addStage('V-1', { name: 'a' })
  await expect
    .poll(() => vendor.nudges().map(({ orderId, httpStatus }) => [orderId, httpStatus]))
    .toEqual([
      ['V-1', 404],
      ['V-1', 404],
    ])
  expect(service.vendor.calls().map(({ method, path }) => `${method} ${path}`)).toEqual(
    Array(2).fill('POST /v1/vendor/orders/V-1/changed'),
  )
})

describe('faults', () => {
  test('an order whose answer was lost is there', async () => {
    const { vendor, place } = await start()
    vendor.addFault({ match: { operation: 'orders.create' }, action: { kind: 'reset', apply: true } })
    await expect(place()).rejects.toThrow()
    expect(vendor.orderCount(checkId)).toBe(1)
    expect((await place()).json).toEqual({ order_id: 'V-1' })
    expect(vendor.calls()[0]).toMatchObject({ applied: true, answered: false, fault: 'reset after applying' })
  })

  test('any status, Retry-After, garbage, and only where they match', async () => {
    const { vendor, call, place } = await start()
    await place()
    vendor.addFault({ match: { backgroundCheckId: checkId }, action: { kind: 'rate_limited', resetSeconds: 7 } })
    vendor.addFault({
      match: { orderId: 'V-1' },
      action: { kind: 'answer', httpStatus: 503, headers: { 'retry-after': '3' } },
    })
    vendor.addFault({ match: { operation: 'orders.get' }, action: { kind: 'garbage' } })
    expect((await call('GET', '/capabilities')).status).toBe(200)
    const limited = await call('GET', '/orders/V-1')
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '7'])
    const failed = await call('GET', '/orders/V-1')
    expect([failed.status, failed.headers.get('retry-after')]).toEqual([503, '3'])
    await expect(call('GET', '/orders/V-1')).rejects.toThrow(/JSON/)
    expect((await call('GET', '/orders/V-1')).status).toBe(200)
  })

  test('limits of its own, told with Retry-After, and counted', async () => {
    const { vendor, call } = await start({ rateLimits: [{ limit: 1, windowMs: 60_000 }] })
    expect((await call('GET', '/capabilities')).status).toBe(200)
    const over = await call('GET', '/capabilities')
    expect([over.status, over.headers.get('retry-after')]).toEqual([429, expect.stringMatching(/^(5\d|60)$/)])
    expect(vendor.worstWindows()).toMatchObject([{ limit: 1, worst: 2 }])
    expect(vendor.worstInFlight()).toBe(1)
  })
})
