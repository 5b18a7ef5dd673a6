import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../src/sandbox/index.js'
import { eventually, modes, startWorld, storeApp, type World } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

async function holds(running: World): Promise<unknown> {
  return (await running.api('GET', '/v1/holds')).body['items']
}

const customer = { appId: storeApp.appId, tenantKey: 'tk_store_a' }
const other = { appId: storeApp.appId, tenantKey: 'tk_store_b' }

async function place(running: World, { appId, tenantKey } = customer): Promise<string> {
  const { accountId } = running.feishu.createAccount({ appId, tenantKey })
  const { backgroundCheckId } = running.feishu.createOrder({ appId, tenantKey, accountId })
  await until('the order at the vendor', () => running.vendor.orderCount(backgroundCheckId) === 1)
  return backgroundCheckId
}

const status = (of: 'start_by_tenant' | 'stop_by_tenant' | 'stop_by_platform') =>
  ({ type: 'app_status_change', status: of }) as const

describe.each(modes)('a tenant of a store app, %s', (mode) => {
  it.each([
    ['disabled the app', status('stop_by_tenant'), status('start_by_tenant')],
    ['had the app disabled by the platform', status('stop_by_platform'), status('start_by_tenant')],
    ['uninstalled the app', { type: 'app_uninstalled' }, { type: 'app_open' }],
  ] as const)('that %s is parked and no other, and goes on when the app is back', async (_what, gone, back) => {
    world = await startWorld({ mode })
    const running = world
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
  })

  it('waits for the app ticket without an attempt, and is served once it has come', async () => {
    world = await startWorld({ mode, feishu: { ticketDelayMs: 60_000 }, ticket: 'none' })
    const running = world
    const id = await place(running)
    running.vendor.addStage(id, { id: 'st-1', name: '身份核验' })
    await running.feishu.untilCalls({ api: 'auth.app_ticket.resend' })
    running.feishu.sendAppTicket(storeApp.appId)
    await eventually(() => running.feishu.order(id).stages.length).toBe(1)
    const sent = async () => (await running.api('GET', `/v1/orders/${id}`)).body['deliveries']
    await eventually(sent).toMatchObject([{ state: 'delivered', attempts: 1 }])
  })
})
