import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { latch } from '../support/latch.js'
import { deliver } from './lives.js'
import { type Checked, expectRefused, orderCheck, startOperatedWorld } from './operator.js'
import { eventually, modes, patient, type World } from './world.js'

describe.each(modes)('an operator stops a check (%s)', (mode) => {
  let world: World
  beforeAll(async () => {
    world = await startOperatedWorld(mode, patient)
  })
  afterAll(() => world.stop())
  afterEach(() => {
    world.feishu.clearFaults()
    world.vendor.clearFaults()
    world.feishu.setSwitches({ cancelEcho: false, cancelOnClosed: 'refuse_1002858' })
  })

  const told = ({ id }: Checked) =>
    world.vendor.calls({ operation: 'orders.cancel', orderId: world.vendor.order(id).orderId }).length
  const violations = ({ id: backgroundCheckId }: Checked, at: number) =>
    world.feishu.checkPromises({
      operatorWords: [{ backgroundCheckId, at, does: 'cancel', stageId: 'terminated' }],
      vendorStages: { [backgroundCheckId]: ['st-1', 'st-2'] },
    })
  /** Feishu lets the next of these calls wait until it is let go. */
  const hold = (check: Checked, api: 'update_progress' | 'update_result') => {
    const held = latch()
    world.feishu.addFault({ match: { api, backgroundCheckId: check.id }, action: { kind: 'held', until: held.opened } })
    return { letGo: held.open }
  }
  const underWay = (check: Checked, api: 'update_progress' | 'update_result', count: number) =>
    eventually(() => world.feishu.calls({ api, backgroundCheckId: check.id }).length).toBe(count)

  it.each([false, true])('with a last stage, then the cancel, whose echo (%s) changes nothing', async (cancelEcho) => {
    world.feishu.setSwitches({ cancelEcho })
    const check = await orderCheck(world)
    await check.begin()
    const at = Date.now()
    expect((await check.cancel({ stage_name: '候选人撤回', reason: 'the candidate took the job' })).status).toBe(202)
    await check.is('canceled')
    expect(world.feishu.order(check.id)).toMatchObject({
      status: 'terminated',
      terminatedBy: 'vendor',
      stages: [{ stageId: 'st-1' }, { stageId: 'terminated', name: '候选人撤回' }],
    })
    expect(check.applied()).toEqual(['update_progress', 'update_progress', 'cancel'])
    await eventually(() => world.vendor.order(check.id).cancelReason).toBe('the candidate took the job')
    await eventually(() => world.feishu.events().every((event) => event.acknowledged)).toBe(true)
    expect(told(check)).toBe(1)
    expect(await check.shown()).toMatchObject({ state: 'canceled', attention: [], next_poll_at: null })
    expect(JSON.stringify(await check.shown())).not.toContain('took the job')
    expect(violations(check, at)).toEqual([])
    expectRefused(await check.cancel(), 'order-ended')
  })

  it('once, however often it is asked for while the first is on its way', async () => {
    const check = await orderCheck(world)
    await check.begin()
    const stage = hold(check, 'update_progress')
    expect((await check.cancel()).status).toBe(202)
    const replies = await Promise.all([check.cancel({ stage_name: 'again' }), check.cancel()])
    expect(replies.map(({ status, body }) => [status, body['state']])).toEqual([
      [202, 'in_progress'],
      [202, 'in_progress'],
    ])
    stage.letGo()
    await check.is('canceled')
    expect(world.feishu.order(check.id).stages.map((stage) => [stage.name, stage.enName])).toEqual([
      ['身份核验', undefined],
      ['已终止', 'Terminated'],
    ])
    expect((await check.kinds()).filter((kind) => kind === 'canceled_by_operator')).toHaveLength(1)
    await eventually(() => told(check)).toBe(1)
  })

  it('that the vendor has not taken yet, and does not get', async () => {
    world.vendor.addFault({
      match: { operation: 'orders.create' },
      action: { kind: 'answer', httpStatus: 429 },
      times: 'always',
    })
    const check = await orderCheck(world)
    await check.is('received')
    expect((await check.cancel()).status).toBe(202)
    await check.is('canceled')
    world.vendor.clearFaults()
    expect(world.feishu.order(check.id)).toMatchObject({ status: 'terminated', stages: [{ name: '已终止' }] })
    expect(world.vendor.orderCount(check.id)).toBe(0)
  })

  it('while it is being placed: the vendor has it, and cancels it then', async () => {
    const placing = latch()
    world.vendor.addFault({ match: { operation: 'orders.create' }, action: { kind: 'held', until: placing.opened } })
    const check = await orderCheck(world)
    const stage = hold(check, 'update_progress')
    await eventually(() => world.vendor.calls({ operation: 'orders.create', backgroundCheckId: check.id }).length).toBe(
      1,
    )
    expect((await check.cancel({ reason: 'too late' })).body['state']).toBe('received')
    placing.open()
    await eventually(() => world.vendor.orderCount(check.id)).toBe(1)
    stage.letGo()
    await eventually(() => world.vendor.order(check.id).cancelReason).toBe('too late')
    await check.is('canceled')
    expect((await check.shown())['next_poll_at']).toBeNull()
    expect(check.applied()).toEqual(['update_progress', 'cancel'])
  })

  it('that failed at the vendor, which leads out of it; placing it again is refused meanwhile', async () => {
    world.vendor.addFault({ match: { operation: 'orders.create' }, action: { kind: 'answer', httpStatus: 422 } })
    const check = await orderCheck(world)
    await check.is('failed')
    const stage = hold(check, 'update_progress')
    expect((await check.cancel()).status).toBe(202)
    expectRefused(await world.api('POST', `/v1/orders/${check.id}/retry`), 'order-being-stopped')
    stage.letGo()
    await check.is('canceled')
    const shown = await check.shown()
    expect(shown).toMatchObject({ attention: [] })
    expect(shown).not.toHaveProperty('failure')
    expect(check.applied()).toEqual(['update_progress', 'cancel'])
  })

  it('that the vendor completes meanwhile: nothing of that is sent', async () => {
    const check = await orderCheck(world)
    await check.begin()
    const at = Date.now()
    const stage = hold(check, 'update_progress')
    expect((await check.cancel()).status).toBe(202)
    world.vendor.addStage(check.id, { id: 'st-2', name: '学历核实' })
    world.vendor.complete(check.id, { result: '无差异' })
    const asked = world.vendor.calls().length
    await eventually(() => world.vendor.calls().length).toBeGreaterThan(asked + 1)
    stage.letGo()
    await check.is('canceled')
    await eventually(async () => (await check.kinds()).at(-1)).toMatch(/vendor_cancel|delivered/)
    expect(check.applied()).toEqual(['update_progress', 'update_progress', 'cancel'])
    expect(violations(check, at)).toEqual([])
  })

  it('whose result is on its way: Feishu takes it, and the order is completed', async () => {
    const check = await orderCheck(world)
    await check.begin()
    const result = hold(check, 'update_result')
    world.vendor.complete(check.id, { result: '无差异' })
    await underWay(check, 'update_result', 1)
    const at = Date.now()
    expect((await check.cancel()).status).toBe(202)
    result.letGo()
    await check.is('completed')
    expect((await check.deliveries()).map((each) => [each['api'], each['state']])).toEqual([
      ['update_progress', 'delivered'],
      ['update_result', 'delivered'],
      ['update_progress', 'superseded'],
      ['cancel', 'superseded'],
    ])
    expect(told(check)).toBe(0)
    expect(violations(check, at)).toEqual([])
    expectRefused(await check.cancel(), 'order-ended')
  })

  it('whose result cannot be sent for now: it is not sent any more', async () => {
    const check = await orderCheck(world)
    await check.begin()
    const limited = { kind: 'rate_limited', resetSeconds: 1 } as const
    world.feishu.addFault({
      match: { api: 'update_result', backgroundCheckId: check.id },
      action: limited,
      times: 'always',
    })
    world.vendor.complete(check.id, { result: '无差异' })
    await underWay(check, 'update_result', 1)
    expect((await check.cancel()).status).toBe(202)
    await check.is('canceled')
    expect(check.applied()).toEqual(['update_progress', 'update_progress', 'cancel'])
    expect((await check.deliveries()).map((each) => each['state'])).toEqual([
      'delivered',
      'superseded',
      'delivered',
      'delivered',
    ])
  })

  it('that the customer stops while the last stage is on its way: no cancel goes, the vendor hears it once', async () => {
    const check = await orderCheck(world)
    await check.begin()
    const stage = hold(check, 'update_progress')
    expect((await check.cancel()).status).toBe(202)
    await underWay(check, 'update_progress', 2)
    world.feishu.cancelOrder(check.id)
    await check.is('canceled')
    stage.letGo()
    await eventually(async () => (await check.deliveries()).map((each) => each['state'])).toEqual([
      'delivered',
      'superseded',
      'superseded',
    ])
    expect(world.feishu.calls({ backgroundCheckId: check.id, api: 'cancel' })).toEqual([])
    expect(world.feishu.order(check.id).terminatedBy).toBe('customer')
    await eventually(() => world.vendor.order(check.id).status).toBe('canceled')
    expect(told(check)).toBe(1)
  })

  it.each(['refuse_1002858', 'ok'] as const)(
    'that the customer has stopped, in an event still to come (%s)',
    async (cancelOnClosed) => {
      world.feishu.setSwitches({ cancelOnClosed })
      const check = await orderCheck(world)
      await check.begin()
      const event = world.feishu.cancelOrder(check.id, { hold: true })
      expect((await check.cancel()).status).toBe(202)
      await eventually(() => world.feishu.calls({ backgroundCheckId: check.id, api: 'cancel' }).length).toBe(1)
      await eventually(async () => (await check.deliveries()).some((each) => each['state'] === 'sending')).toBe(false)
      await deliver(world.feishu, event.eventId)
      await check.is('canceled')
      await eventually(async () => (await check.shown())['attention']).toEqual([])
      await eventually(() => world.vendor.order(check.id).status).toBe('canceled')
      expect(told(check)).toBe(1)
    },
  )
})
