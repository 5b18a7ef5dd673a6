import { afterEach, expect, it } from 'vitest'
import type { VendorAdapter, VendorAnswer } from '../../src/flow/vendor/adapter.js'
import { orderChecks } from './lives.js'
import { eventually, startWorld, type World } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

const ok = async <T>(value: T): Promise<VendorAnswer<T>> => ({ kind: 'ok', value })

/** A vendor that mixes its orders up. */
const mixedUp: VendorAdapter = {
  capabilities: () => ok({ batch: false, changes: false, tripartite: false }),
  bindAccount: () => ok({ customerId: 'c' }),
  placeOrder: () => ok({ orderId: 'V-same' }),
  findOrder: () => ok(null),
  getOrder: (orderId) =>
    ok({
      orderId,
      backgroundCheckId: '1',
      status: 'completed',
      stages: [],
      result: { result: 'of somebody else', time: Date.now(), reports: [] },
    }),
  cancelOrder: () => ok(null),
}

it('nobody gets the result of another check, and two checks never share a number of the vendor', async () => {
  world = await startWorld({ overrides: { vendor: mixedUp } })
  const running = world
  const orders = await orderChecks(running, ['plain', 'plain'])
  const shown = () => Promise.all(orders.map(async ({ id }) => (await running.api('GET', `/v1/orders/${id}`)).body))
  await eventually(async () => (await shown()).map((order) => order['attention']).toSorted()).toEqual([
    ['failed'],
    ['foreign_order'],
  ])
  expect((await shown()).map((order) => order['state']).toSorted()).toEqual(['failed', 'ordered'])
  for (const { id } of orders) expect(running.feishu.calls({ backgroundCheckId: id })).toEqual([])
})
