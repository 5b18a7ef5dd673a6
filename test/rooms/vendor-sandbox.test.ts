import { expect, it, onTestFinished } from 'vitest'
import type { VendorOptions } from '../../src/sandbox/vendor/options.js'
import { startSandboxVendor } from '../../src/sandbox/vendor/server.js'
import { eventually } from '../support/eventually.js'
import { account, adapterFor, answered, call, order, readAgreements, readChanges, readMany } from './vendor-peer.js'

async function start(options: Partial<VendorOptions> = {}) {
  const sandbox = await startSandboxVendor({ apiKey: 'the-key-of-the-vendor', ...options })
  onTestFinished(() => sandbox.stop())
  return { sandbox, vendor: adapterFor({ baseUrl: sandbox.url }) }
}

const place = (check: string) => ({ ...order, backgroundCheckId: check })

it('knows what the vendor can', async () => {
  const { sandbox, vendor } = await start()
  expect(answered(await vendor.capabilities(call))).toEqual({ batch: true, changes: true, tripartite: true })
  sandbox.setCapabilities('none')
  expect(answered(await vendor.capabilities(call))).toEqual({ batch: false, changes: false, tripartite: false })
})

it('binds an account once the vendor has confirmed it', async () => {
  const catalog = { packages: [{ id: 'p-1', name: 'Basic' }] }
  const { sandbox, vendor } = await start({ confirmAccounts: 'by_hand', catalog: () => catalog })
  expect(answered(await vendor.bindAccount(account, call))).toEqual({ customerId: null })
  sandbox.confirmAccount(account.accountId)
  expect(answered(await vendor.bindAccount(account, call))).toEqual({ customerId: expect.any(String), catalog })
})

it('follows an order from its placing to its result', async () => {
  const { sandbox, vendor } = await start()
  expect(answered(await vendor.findOrder(order.backgroundCheckId, call))).toBeNull()
  const { orderId } = answered(await vendor.placeOrder(order, call))
  expect(answered(await vendor.placeOrder(order, call))).toEqual({ orderId })
  expect(answered(await vendor.findOrder(order.backgroundCheckId, call))).toMatchObject({ orderId, status: 'pending' })
  sandbox.addStage(orderId, { name: '身份核验', en_name: 'Identity', reports: [{ name: 'stage.pdf' }] })
  sandbox.complete(orderId)
  expect(answered(await vendor.getOrder(orderId, call))).toMatchObject({
    orderId,
    backgroundCheckId: order.backgroundCheckId,
    status: 'completed',
    stages: [{ enName: 'Identity', reports: [{ name: 'stage.pdf', type: 1 }] }],
    result: { result: '绿灯', reports: [{ name: 'final.pdf', url: expect.stringContaining(sandbox.url) }] },
  })
  expect(sandbox.orderCount(order.backgroundCheckId)).toBe(1)
})

it('finds the order of a call whose answer was lost', async () => {
  const { sandbox, vendor } = await start()
  sandbox.addFault({ match: { operation: 'orders.create' }, action: { kind: 'hang', apply: true }, times: 1 })
  const ending = new AbortController()
  const placing = vendor.placeOrder(order, { signal: ending.signal })
  await eventually(() => sandbox.orderCount(order.backgroundCheckId)).toBe(1)
  ending.abort()
  expect(await placing).toMatchObject({ kind: 'retry', ambiguous: true })
  expect(answered(await vendor.findOrder(order.backgroundCheckId, call))).not.toBeNull()
})

it('cancels, also again, and does not find what is not there', async () => {
  const { sandbox, vendor } = await start()
  const { orderId } = answered(await vendor.placeOrder(order, call))
  answered(await vendor.cancelOrder(orderId, 'why', call))
  answered(await vendor.cancelOrder(orderId, 'why', call))
  expect(sandbox.order(orderId)).toMatchObject({ status: 'canceled', canceledBy: 'service', cancelReason: 'why' })
  expect(answered(await vendor.getOrder('V-404', call))).toBeNull()
})

it('reads many at once and follows changes until there are none, then starts over', async () => {
  const { sandbox, vendor } = await start()
  const ids: string[] = []
  for (const check of ['1', '2', '3']) ids.push(answered(await vendor.placeOrder(place(check), call)).orderId)
  expect(answered(await readMany(vendor, [...ids, 'V-404'])).map((one) => one.orderId)).toEqual(ids)
  const first = answered(await readChanges(vendor, null, 2))
  expect(first).toMatchObject({ hasMore: true, orders: [{ orderId: ids[0] }, { orderId: ids[1] }] })
  const second = answered(await readChanges(vendor, first.cursor, 2))
  expect(second).toMatchObject({ hasMore: false, orders: [{ orderId: ids[2] }] })
  sandbox.forgetCursors()
  expect(answered(await readChanges(vendor, second.cursor, 2))).toMatchObject({ expired: true })
})

it('follows changed agreements, each at its last change, then starts over', async () => {
  const { sandbox, vendor } = await start()
  const agreement = { id: '301', tenant_key: 'tk_a', state: 3, modify_time: 1767315600000 }
  sandbox.setAgreement(agreement)
  sandbox.setAgreement({ ...agreement, id: '302' })
  sandbox.setAgreement({ ...agreement, state: 4 })
  const first = answered(await readAgreements(vendor, null))
  expect(first).toMatchObject({
    hasMore: false,
    agreements: [
      { id: '302', state: 3 },
      { id: '301', state: 4 },
    ],
  })
  expect(answered(await readAgreements(vendor, first.cursor)).agreements).toEqual([])
  sandbox.forgetCursors()
  expect(answered(await readAgreements(vendor, first.cursor))).toMatchObject({ expired: true })
})

it('takes the failures of the vendor for what they are', async () => {
  const { sandbox, vendor } = await start()
  sandbox.addFault({ match: {}, action: { kind: 'rate_limited', resetSeconds: 3 }, times: 1 })
  expect(await vendor.placeOrder(order, call)).toMatchObject({ status: 429, retryAfterMs: 3_000, ambiguous: false })
  sandbox.addFault({ match: {}, action: { kind: 'garbage' }, times: 1 })
  expect(await vendor.placeOrder(order, call)).toMatchObject({ kind: 'retry', ambiguous: true })
  sandbox.addFault({ match: {}, action: { kind: 'reset', apply: true }, times: 1 })
  expect(await vendor.placeOrder(order, call)).toMatchObject({ kind: 'retry', ambiguous: true })
  sandbox.setApiKey('another')
  expect(await vendor.placeOrder(order, call)).toMatchObject({ kind: 'misconfigured', status: 401 })
})
