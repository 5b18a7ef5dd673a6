import { afterEach, expect, it } from 'vitest'
import { customApp, eventually, startWorld, type World } from '../story/world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

const tenant = { appId: customApp.appId, tenantKey: 'tk_custom' }
/** No poll by the clock in the time of a test: what is seen was asked for. */
const seldom = { VENDOR_POLL_MIN_MS: '600000', VENDOR_POLL_MAX_MS: '600000' }

const callsOf = (of: World) => (method: string, path: string) => of.api(method, path)

async function orderAtVendor(of: World): Promise<{ id: string; path: string }> {
  const { feishu, vendor } = of
  const api = callsOf(of)
  const { accountId } = feishu.createAccount(tenant)
  const { backgroundCheckId: id } = feishu.createOrder({ ...tenant, accountId })
  await eventually(() => vendor.orderCount(id)).toBe(1)
  const path = `/v1/orders/${id}`
  await eventually(async () => (await api('GET', path)).body['state']).toBe('ordered')
  return { id, path }
}

/** The first poll, right after the placing, is over. */
async function firstPollIsOver(of: World, path: string): Promise<void> {
  const api = callsOf(of)
  const inMs = async () => Date.parse(String((await api('GET', path)).body['next_poll_at'])) - Date.now()
  await eventually(inMs).toBeGreaterThan(300_000)
}

it('asks the vendor at once when an operator wants it, or the vendor says that an order changed', async () => {
  world = await startWorld({ env: seldom })
  const { feishu, vendor } = world
  const api = callsOf(world)
  const { id, path } = await orderAtVendor(world)
  await firstPollIsOver(world, path)
  vendor.addStage(id, { id: 'st-1', name: '身份核验' })
  expect((await api('POST', `${path}/poll`)).status).toBe(202)
  await eventually(() => feishu.calls({ backgroundCheckId: id }).length).toBe(1)
  await firstPollIsOver(world, path)
  vendor.complete(id, { result: '无差异' })
  const number = String((await api('GET', path)).body['vendor_order_id'])
  expect((await api('POST', `/v1/vendor/orders/${encodeURIComponent(number)}/changed`)).status).toBe(202)
  await eventually(() => feishu.order(id).status).toBe('completed')
  await eventually(async () => (await api('GET', path)).body['state']).toBe('completed')
  expect((await api('POST', `${path}/poll`)).status).toBe(409)
  const { timeline, deliveries } = (await api('GET', path)).body as Record<string, Array<Record<string, unknown>>>
  expect(timeline?.map((each) => each['kind'])).toEqual(expect.arrayContaining(['received', 'placed', 'delivered']))
  expect(deliveries?.map((each) => [each['api'], each['state'], each['confirmed']])).toEqual([
    ['update_progress', 'delivered', true],
    ['update_result', 'delivered', true],
  ])
})

it('shows an order that the vendor refused, and a retry leads it out', async () => {
  world = await startWorld()
  const { feishu, vendor } = world
  const api = callsOf(world)
  vendor.addFault({ match: { operation: 'orders.create' }, times: 1, action: { kind: 'answer', httpStatus: 422 } })
  const { accountId } = feishu.createAccount(tenant)
  const { backgroundCheckId: id } = feishu.createOrder({ ...tenant, accountId })
  await eventually(async () => (await api('GET', `/v1/orders/${id}`)).body['state']).toBe('failed')
  expect((await api('GET', '/v1/orders?state=failed')).body['items']).toMatchObject([{ failure: { class: 'vendor' } }])
  expect((await api('POST', `/v1/orders/${id}/retry`)).status).toBe(202)
  await eventually(() => vendor.orderCount(id)).toBe(1)
  await eventually(async () => (await api('GET', `/v1/orders/${id}`)).body['state']).toBe('ordered')
  const asked = vendor.calls().map((call) => call.operation ?? '')
  const aboutPlacing = asked.filter((operation) => ['orders.create', 'orders.find'].includes(operation))
  // Whether it has it is asked until nothing of before can arrive any more.
  expect(new Set(aboutPlacing.slice(1, -1))).toEqual(new Set(['orders.find']))
  expect([aboutPlacing.at(0), aboutPlacing.at(-1)]).toEqual(['orders.create', 'orders.create'])
  expect(aboutPlacing.filter((operation) => operation === 'orders.create')).toHaveLength(2)
})
