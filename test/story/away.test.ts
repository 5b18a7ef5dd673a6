import { afterEach, describe, expect, it } from 'vitest'
import { startApp } from '../../src/app.js'
import { createLogger } from '../../src/platform/logger.js'
import { until } from '../../src/sandbox/index.js'
import { expectExactCalls, type Life, live, orderChecks, untilEnded } from './lives.js'
import { eventually, startWorld, vendorKey, type World, type WorldOptions } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

async function begin(options: WorldOptions = {}): Promise<World> {
  world = await startWorld(options)
  return world
}

const lives: Life[] = ['plain', 'stages', 'vendor stops']

async function finish(running: World, orders: Awaited<ReturnType<typeof orderChecks>>): Promise<void> {
  await Promise.all(orders.map((order) => live(running, order)))
  await untilEnded(running, orders)
  expectExactCalls(running, orders)
  expect(running.feishu.checkPromises()).toEqual([])
}

describe('while one side is away', () => {
  it('takes events while the vendor refuses connections, and places every order when it is back', async () => {
    const running = await begin({ gated: 'vendor' })
    await running.gate?.shut()
    const orders = await orderChecks(running, lives)
    await eventually(() => running.log.filter((line) => line.includes('"vendor.place"')).length).toBeGreaterThan(2)
    expect(running.vendor.orders()).toEqual([])
    await running.gate?.open()
    await finish(running, orders)
  })

  it('keeps what waits while Feishu refuses connections, and sends it in order when it is back', async () => {
    const running = await begin({ gated: 'feishu' })
    await running.gate?.shut()
    const orders = await orderChecks(running, lives)
    const living = Promise.all(orders.map((order) => live(running, order)))
    await living
    await eventually(() =>
      running.log.some((line) => line.includes('"feishu.no_token"') || line.includes('"feishu.attempt"')),
    ).toBe(true)
    await running.gate?.open()
    await untilEnded(running, orders)
    expectExactCalls(running, orders)
    expect(running.feishu.checkPromises()).toEqual([])
  })

  it('stops calling a vendor that refuses its key, and goes on by itself once the key is right', async () => {
    const running = await begin()
    running.vendor.setApiKey('another-key')
    const orders = await orderChecks(running, lives)
    await running.vendor.untilCalls({ httpStatus: 401 })
    const holds = async () => (await running.api('GET', '/v1/holds')).body['items']
    await eventually(holds).toMatchObject([{ scope: 'vendor', reason: expect.stringContaining('401') }])
    running.vendor.setApiKey(vendorKey)
    await finish(running, orders)
    await eventually(holds).toEqual([])
  })

  it('places one order when the vendor took it and its answer was lost', async () => {
    const running = await begin()
    running.vendor.addFault({ match: { operation: 'orders.create' }, action: { kind: 'reset', apply: true }, times: 2 })
    running.vendor.addFault({
      match: { operation: 'orders.create' },
      action: { kind: 'garbage', apply: true },
      times: 1,
    })
    const orders = await orderChecks(running, lives)
    await finish(running, orders)
    expect(running.vendor.calls({ operation: 'orders.find' }).length).toBeGreaterThan(0)
  })
})

describe('what a vendor offers', () => {
  const offers = [
    'none',
    { batch: true, changes: false },
    { batch: false, changes: true },
    { batch: true, changes: true },
  ] as const
  it.each(offers)('is used, and checks come to their ends with %o', async (capabilities) => {
    const running = await begin({ vendor: { capabilities } })
    await finish(running, await orderChecks(running, [...lives, ...lives]))
    const asked = (operation: 'orders.get' | 'orders.batch' | 'orders.changes') =>
      running.vendor.calls({ operation }).length > 0
    const { batch, changes } = capabilities === 'none' ? { batch: false, changes: false } : capabilities
    if (!changes) expect(asked('orders.batch') || asked('orders.get')).toBe(true)
    if (!batch) expect(asked('orders.batch')).toBe(false)
    expect(asked('orders.changes')).toBe(changes)
  })

  it('polls at once when the vendor says that an order changed', async () => {
    const hour = '3600000'
    const running = await begin({
      vendor: { capabilities: 'none' },
      env: { VENDOR_POLL_MIN_MS: hour, VENDOR_POLL_MAX_MS: hour },
    })
    const [order] = await orderChecks(running, ['plain'])
    if (order === undefined) throw new Error('no order')
    const placed = await until('the order at the vendor', () => running.vendor.orders()[0])
    await running.vendor.untilCalls({ operation: 'orders.get' })
    running.vendor.setNotify({ url: running.url, key: 'operator-key-of-24-chars-or-more' })
    running.vendor.addStage(placed.orderId, { id: 'st-1', name: '身份核验' })
    await eventually(() => running.feishu.order(order.id).stages.length).toBe(1)
    running.vendor.setNotify(undefined)
    running.vendor.complete(placed.orderId, { result: '无差异' })
    const { status } = await running.api('POST', `/v1/orders/${order.id}/poll`)
    expect(status).toBe(202)
    await untilEnded(running, [order])
  })
})

describe('a graceful stop', () => {
  it('lets calls in flight end and settle, and a new start goes on without a doubled call', async () => {
    const running = await begin()
    running.feishu.useFaults(() => ({ kind: 'slow', ms: 150 }))
    const orders = await orderChecks(running, [...lives, ...lives])
    const living = Promise.all(orders.map((order) => live(running, order)))
    await running.feishu.untilCalls({ api: 'update_progress' })
    await living
    await Promise.all(running.apps.map((app) => app.stop()))
    running.feishu.useFaults(undefined)
    const next = await startApp(running.config, createLogger('silent'))
    running.apps.splice(0, 1, next)
    await untilEnded({ ...running, api: async () => ({ status: 0, body: {} }) }, orders)
    expectExactCalls(running, orders)
    expect(running.feishu.checkPromises()).toEqual([])
  })
})
