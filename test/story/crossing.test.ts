import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../../src/sandbox/index.js'
import { deliver, type LivedOrder, orderChecks, untilEnded } from './lives.js'
import { customApp, eventually, startWorld, type World } from './world.js'

let world: World

beforeEach(async () => {
  world = await startWorld()
})
afterEach(() => world.stop())

async function order(): Promise<LivedOrder & { vendorHasIt: () => Promise<unknown> }> {
  const [made] = await orderChecks(world, ['plain'])
  if (made === undefined) throw new Error('no order')
  return { ...made, vendorHasIt: () => until('the order at the vendor', () => world.vendor.orderCount(made.id) === 1) }
}

async function shown(id: string): Promise<Record<string, unknown>> {
  return (await world.api('GET', `/v1/orders/${id}`)).body
}

it('a stage that Feishu refused because the customer was faster is superseded once the cancel arrives', async () => {
  const { id, vendorHasIt } = await order()
  await vendorHasIt()
  const cancel = world.feishu.cancelOrder(id, { hold: true })
  world.vendor.addStage(id, { id: 'st-1', name: '身份核验' })
  await eventually(async () => (await shown(id))['attention']).toEqual(['delivery_dead'])
  await deliver(world.feishu, cancel.eventId)
  await eventually(async () => (await shown(id))['state']).toBe('canceled')
  const { attention, deliveries } = await shown(id)
  expect(attention).toEqual([])
  expect(deliveries).toMatchObject([{ state: 'superseded' }])
  await eventually(() => world.vendor.order(id).status).toBe('canceled')
})

it('a stage that was under way when the cancel arrived, and came too late, is superseded as well', async () => {
  const { id, vendorHasIt } = await order()
  await vendorHasIt()
  world.feishu.addFault({ match: { api: 'update_progress' }, action: { kind: 'slow', ms: 400 } })
  world.vendor.addStage(id, { id: 'st-1', name: '身份核验' })
  await eventually(() => world.feishu.calls({ api: 'update_progress' }).length).toBe(1)
  world.feishu.cancelOrder(id)
  await eventually(async () => (await shown(id))['deliveries']).toMatchObject([{ state: 'superseded' }])
  expect(await shown(id)).toMatchObject({ state: 'canceled', attention: [] })
  expect(world.feishu.calls({ code: 1002858 })).toHaveLength(1)
})

it('a cancel that comes while the order is being placed waits for it, and then cancels it at the vendor', async () => {
  world.vendor.addFault({ match: { operation: 'orders.create' }, action: { kind: 'slow', ms: 400 } })
  const { id } = await order()
  await world.vendor.untilCalls({ operation: 'orders.create' }).catch(() => undefined)
  world.feishu.cancelOrder(id)
  await eventually(async () => (await shown(id))['state']).toBe('canceled')
  await eventually(() => world.vendor.orders().map((each) => each.status)).toEqual(['canceled'])
  expect(world.feishu.calls({ backgroundCheckId: id })).toEqual([])
})

it('a cancel that comes before its order leaves the order canceled, and nothing reaches the vendor', async () => {
  const customer = { appId: customApp.appId, tenantKey: 'tk_custom' }
  const { accountId } = world.feishu.createAccount(customer)
  const { backgroundCheckId: id, event } = world.feishu.createOrder({ ...customer, accountId, hold: true })
  const cancel = world.feishu.cancelOrder(id)
  await world.feishu.untilAcknowledged(cancel.eventId)
  await eventually(async () => (await shown(id))['state']).toBe('canceled')
  await deliver(world.feishu, event.eventId)
  await eventually(async () => (await shown(id))['package_id']).not.toBe(null)
  expect((await shown(id))['state']).toBe('canceled')
  expect(world.vendor.orders()).toEqual([])
})

it('a cancel by the customer while the result waits for approval makes the order canceled, and is not told to the vendor', async () => {
  world.feishu.setSwitches({ reportApproval: true })
  const { id, vendorHasIt } = await order()
  await vendorHasIt()
  world.vendor.complete(id, { result: '无差异' })
  await eventually(async () => (await shown(id))['state']).toBe('completed')
  world.feishu.cancelOrder(id, { evenIfClosed: true })
  await eventually(async () => (await shown(id))['state']).toBe('canceled')
  expect(world.vendor.calls({ operation: 'orders.cancel' })).toEqual([])
})

it('a vendor that stops sends one last stage that says so, then the cancel, and takes its own echo calmly', async () => {
  world.feishu.setSwitches({ cancelEcho: true })
  const { id, vendorHasIt } = await order()
  await vendorHasIt()
  world.vendor.addStage(id, { id: 'end', name: '已终止', en_name: 'Terminated' })
  world.vendor.stopOrder(id)
  await untilEnded(world, [{ id, life: 'vendor stops' }])
  await eventually(async () => (await shown(id))['state']).toBe('canceled')
  expect(world.feishu.order(id).stages.map((stage) => stage.name)).toEqual(['已终止'])
  expect(world.feishu.checkPromises()).toEqual([])
})

it('a last stage that Feishu refuses for its limit keeps its time, also of a vendor whose every answer has other links', async () => {
  await world.stop()
  world = await startWorld({ vendor: { rotateReportLinks: true } })
  const { id, vendorHasIt } = await order()
  await vendorHasIt()
  world.vendor.addStage(id, { id: 'st-1', name: '身份核验', reports: [{ name: 'stage.pdf' }] })
  await eventually(() => world.feishu.order(id).stages).toHaveLength(1)
  world.feishu.addFault({ match: { api: 'update_progress' }, action: { kind: 'rate_limited', resetSeconds: 1 } })
  world.vendor.stopOrder(id)
  await untilEnded(world, [{ id, life: 'vendor stops' }])
  expect(world.feishu.calls({ api: 'update_progress' })).toHaveLength(3)
  expect(world.feishu.checkPromises()).toEqual([])
})
