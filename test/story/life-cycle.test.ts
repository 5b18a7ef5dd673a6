import { describe, it, type TestContext } from 'vitest'
import { until } from '../../src/sandbox/index.js'
import { modes, startWorld, storeApp, type World, type WorldOptions } from './world.js'

async function begin({ onTestFinished }: TestContext, options: WorldOptions): Promise<World> {
  const world = await startWorld(options)
  onTestFinished(() => world.stop())
  return world
}

/** `eventually` of one of several tests that run at once. */
function patiently({ expect }: TestContext) {
  return <T>(probe: () => T | Promise<T>) => expect.poll(probe, { timeout: 20_000, interval: 10 })
}

async function holds(running: World): Promise<unknown> {
  return (await running.api('GET', '/v1/holds')).body['items']
}

const customer = { appId: storeApp.appId, tenantKey: 'tk_store_a' }
const other = { appId: storeApp.appId, tenantKey: 'tk_store_b' }

async function place(running: World, { appId, tenantKey } = customer): Promise<string> {
  const { accountId } = running.feishu.createAccount({ appId, tenantKey })
  const { backgroundCheckId } = running.feishu.createOrder({ appId, tenantKey, accountId })
  await until('the order at the vendor', () => running.vendor.orderCount(backgroundCheckId) === 1, {
    timeoutMs: 20_000,
  })
  return backgroundCheckId
}

const status = (of: 'start_by_tenant' | 'stop_by_tenant' | 'stop_by_platform') =>
  ({ type: 'app_status_change', status: of }) as const

// Worlds of their own, which mostly wait: at once they wait together.
describe.each(modes)('a tenant of a store app, %s', { concurrent: true }, (mode) => {
  it.for([
    ['disabled the app', status('stop_by_tenant'), status('start_by_tenant')],
    ['had the app disabled by the platform', status('stop_by_platform'), status('start_by_tenant')],
    ['uninstalled the app', { type: 'app_uninstalled' }, { type: 'app_open' }],
  ] as const)(
    'that %s is parked and no other, and goes on when the app is back',
    async ([_what, gone, back], context) => {
      const { expect } = context
      const eventually = patiently(context)
      const running = await begin(context, { mode })
      const [parked, free] = [await place(running), await place(running, other)]
      running.feishu.sendLifeCycle(customer.appId, customer.tenantKey, gone)
      await eventually(() => holds(running)).toMatchObject([{ scope: 'tenant', tenant_key: 'tk_store_a' }])
      for (const id of [parked, free]) running.vendor.addStage(id, { id: 'st-1', name: '身份核验' })
      await eventually(() => running.feishu.order(free).stages.length).toBe(1)
      const waits = async () => (await running.api('GET', `/v1/orders/${parked}`)).body['deliveries']
      await eventually(waits).toMatchObject([{ state: 'pending', attempts: 0, hold: { scope: 'tenant' } }])
      expect(running.feishu.calls({ backgroundCheckId: parked })).toEqual([])
      running.feishu.sendLifeCycle(customer.appId, customer.tenantKey, back)
      await eventually(() => running.feishu.order(parked).stages.length).toBe(1)
      expect(await holds(running)).toEqual([])
    },
  )

  it('waits for the app ticket without an attempt, and is served once it has come', async (context) => {
    const eventually = patiently(context)
    const running = await begin(context, { mode, feishu: { ticketDelayMs: 60_000 }, ticket: 'none' })
    const id = await place(running)
    running.vendor.addStage(id, { id: 'st-1', name: '身份核验' })
    await running.feishu.untilCalls({ api: 'auth.app_ticket.resend' })
    running.feishu.sendAppTicket(storeApp.appId)
    await eventually(() => running.feishu.order(id).stages.length).toBe(1)
    const sent = async () => (await running.api('GET', `/v1/orders/${id}`)).body['deliveries']
    await eventually(sent).toMatchObject([{ state: 'delivered', attempts: 1 }])
  })
})
