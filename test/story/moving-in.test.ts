import { afterEach, describe, expect, it } from 'vitest'
import { deliver } from './lives.js'
import { boundBefore, customer, importOrders, serve } from './old-system.js'
import { eventually, modes, startWorld, type World } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

const minuteAgo = () => Date.now() - 60_000
const stage = (number: number, time: number) => ({
  stage_id: `st-${number}`,
  stage_name: `阶段 ${number}`,
  stage_time: time + number,
})
const shown = async (running: World, id: string) => (await running.api('GET', `/v1/orders/${id}`)).body

describe.each(modes)('moving in, %s', (mode) => {
  it('goes on with checks that an older system has served: Feishu gets what it lacks, and nothing twice', async () => {
    world = await startWorld({ mode })
    const running = world
    const { feishu, vendor } = running
    const accountId = await boundBefore(running)
    const put = { tenant_key: customer.tenantKey, app_id: customer.appId, account_name: 'Acme', customer_id: 'C-1' }
    expect(await running.api('PUT', `/v1/accounts/${accountId}`, put)).toMatchObject({
      status: 200,
      body: { state: 'confirmed' },
    })
    const time = minuteAgo()
    const served = await serve(running, accountId, [stage(1, time), stage(2, time)])
    const { id, orderId, eventId } = served
    // The vendor says more about the same stages, and in other words, than the older system passed on.
    vendor.addStage(orderId, { id: 'st-1', name: '身份核验', en_name: 'Identity verified', time })
    vendor.addStage(orderId, { id: 'st-2', name: '学历核实', time, result: '通过', reports: [{ name: 'stage.pdf' }] })
    expect(await importOrders(running, [served])).toEqual({
      code: 0,
      err: '',
      out: '1 imported, 0 here already, 0 refused\n',
    })

    vendor.addStage(orderId, { id: 'st-3', name: '工作履历', time: time - 5000 })
    await eventually(() => feishu.order(id).stages.map((each) => each.stageId)).toEqual(['st-1', 'st-2', 'st-3'])
    // The event of the order comes once more, hours later.
    await deliver(feishu, eventId)
    await eventually(async () => (await shown(running, id))['timeline']).toContainEqual(
      expect.objectContaining({ kind: 'received', detail: { already_placed: true } }),
    )
    vendor.complete(orderId, { result: '无差异' })
    await eventually(() => feishu.order(id).status).toBe('completed')
    await eventually(async () => (await shown(running, id))['state']).toBe('completed')

    expect(await shown(running, id)).toMatchObject({ attention: [], account_id: accountId, vendor_order_id: orderId })
    expect(feishu.order(id).stages.map((each) => each.time - time)).toEqual([1, 2, 3])
    const applied = feishu.calls({ backgroundCheckId: id }).map((call) => [call.api, call.applied])
    expect(applied).toEqual([
      ['update_progress', true],
      ['update_progress', true],
      ['update_progress', true],
      ['update_result', true],
    ])
    expect(vendor.orderCount(id)).toBe(1)
    expect(vendor.calls({ operation: 'orders.create' })).toHaveLength(1)
    expect(vendor.calls({ operation: 'accounts.create' })).toHaveLength(1)
    expect((await importOrders(running, [served])).out).toBe('0 imported, 1 here already, 0 refused\n')
    expect(feishu.checkPromises({ vendorStages: { [id]: ['st-1', 'st-2', 'st-3'] } })).toEqual([])
  })

  it('asks the vendor for what is open only, and sends nothing of what is over', async () => {
    world = await startWorld({ mode, vendor: { capabilities: { changes: false } } })
    const running = world
    const { feishu, vendor } = running
    const accountId = await boundBefore(running)
    const time = minuteAgo()
    const over = await serve(running, accountId, [stage(1, time)], { result: '绿灯', result_time: time + 9 })
    const open = await serve(running, accountId, [stage(1, time)])
    for (const { orderId } of [over, open]) {
      vendor.addStage(orderId, { id: 'st-1', name: '身份核验' })
      vendor.addStage(orderId, { id: 'st-2', name: '学历核实' })
      vendor.complete(orderId, { result: '红灯' })
    }
    await importOrders(running, [over, open])
    await eventually(() => feishu.order(open.id).status).toBe('completed')
    expect(feishu.calls({ backgroundCheckId: over.id })).toHaveLength(2)
    expect(feishu.order(over.id).result?.result).toBe('绿灯')
    const asked = vendor.calls().filter((call) => JSON.stringify(call).includes(over.orderId))
    expect(asked.map((call) => call.operation)).toEqual(['orders.create'])
    expect(await shown(running, over.id)).toMatchObject({ state: 'completed', next_poll_at: null, attention: [] })
  })

  it('a changes feed that begins with everything brings nothing back of what is over', async () => {
    world = await startWorld({ mode })
    const running = world
    const { feishu, vendor } = running
    const accountId = await boundBefore(running)
    const time = minuteAgo()
    const over = await serve(running, accountId, [stage(1, time)], { result: '绿灯', result_time: time + 9 })
    const open = await serve(running, accountId, [])
    await importOrders(running, [over, open])
    vendor.forgetCursors()
    for (const { orderId } of [over, open]) {
      vendor.addStage(orderId, { id: 'st-1', name: '身份核验', reports: [{ name: 'stage.pdf' }], result: '通过' })
      vendor.complete(orderId, { result: '红灯' })
    }
    await eventually(() => feishu.order(open.id).status).toBe('completed')
    expect(feishu.calls({ backgroundCheckId: over.id })).toHaveLength(2)
    expect(await shown(running, over.id)).toMatchObject({ state: 'completed', attention: [] })
    expect(feishu.checkPromises()).toEqual([])
  })

  it('the customer stops a check that moved in, and one that had not moved in yet: the vendor is told of both', async () => {
    world = await startWorld({ mode })
    const running = world
    const { feishu, vendor } = running
    const accountId = await boundBefore(running)
    const before = await serve(running, accountId, [stage(1, minuteAgo())])
    const after = await serve(running, accountId, [stage(1, minuteAgo())])
    feishu.cancelOrder(before.id)
    await eventually(async () => (await shown(running, before.id))['state']).toBe('canceled')
    await importOrders(running, [before, after])
    feishu.cancelOrder(after.id)
    for (const { id, orderId } of [before, after]) {
      await eventually(() => vendor.order(orderId).canceledBy).toBe('service')
      expect(await shown(running, id)).toMatchObject({ state: 'canceled', vendor_order_id: orderId })
      expect(feishu.calls({ backgroundCheckId: id })).toHaveLength(1)
    }
  })

  it('a check of an account that nobody bound here is placed, and the account shows until its event comes', async () => {
    world = await startWorld({ mode })
    const running = world
    const { feishu, vendor } = running
    const { accountId, event } = feishu.createAccount({ ...customer, hold: true })
    const { backgroundCheckId: id } = feishu.createOrder({ ...customer, accountId })
    await eventually(() => vendor.orderCount(id)).toBe(1)
    const account = async () => (await running.api('GET', `/v1/accounts/${accountId}`)).body
    expect(await account()).toMatchObject({ state: 'unbound', account_name: '', tenant_key: customer.tenantKey })
    expect((await running.api('GET', '/v1/accounts?state=unbound')).body['items']).toMatchObject([
      { account_id: accountId },
    ])
    expect(vendor.accounts()).toEqual([])
    await deliver(feishu, event.eventId)
    await eventually(async () => (await account())['state']).toBe('confirmed')
    expect((await account())['account_name']).not.toBe('')
  })
})
