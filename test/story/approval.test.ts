import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { PromiseOptions } from '../../src/sandbox/index.js'
import { type Checked, expectRefused, orderCheck, startOperatedWorld } from './operator.js'
import { eventually, modes, type World } from './world.js'

describe.each(modes)('what an operator sends again (%s)', (mode) => {
  let world: World
  beforeAll(async () => {
    world = await startOperatedWorld(mode)
  })
  afterAll(() => world.stop())
  afterEach(() => {
    world.feishu.clearFaults()
    world.vendor.clearFaults()
    world.feishu.setSwitches({ reportApproval: false, resultAfterRejection: 'accept', orderReads: true })
  })

  const result = (text: string) => ({ result: text, time: Date.now(), reports: [] })
  const inFeishu = ({ id }: Checked) => world.feishu.order(id)
  const sentResults = ({ id }: Checked) =>
    world.feishu.calls({ api: 'update_result', backgroundCheckId: id }).map((call) => call.code)
  const broken = ({ id }: Checked, operatorWords: PromiseOptions['operatorWords'], vendorStages?: string[]) =>
    world.feishu
      .checkPromises({
        ...(operatorWords && { operatorWords }),
        ...(vendorStages && { vendorStages: { [id]: vendorStages } }),
      })
      .filter((violation) => violation.backgroundCheckId === id)
  const resultWord = ({ id: backgroundCheckId }: Checked, at: number) =>
    [{ backgroundCheckId, at, does: 'resend_result' }] as const

  async function reported(): Promise<Checked> {
    const check = await orderCheck(world)
    await check.begin()
    world.vendor.complete(check.id, { result: '无差异' })
    await check.is('completed')
    return check
  }

  async function rejected(): Promise<Checked> {
    world.feishu.setSwitches({ reportApproval: true })
    const check = await reported()
    world.feishu.reject(check.id)
    world.feishu.setSwitches({ reportApproval: false })
    return check
  }

  it('a result after an administrator rejected it, as the vendor says it now', async () => {
    const check = await rejected()
    world.vendor.setOrder(check.id, { result: result('蓝灯') })
    const at = Date.now()
    expect((await check.resendResult()).status).toBe(202)
    await eventually(() => inFeishu(check).result?.result).toBe('蓝灯')
    await eventually(async () => (await check.deliveries()).map((each) => each['state'])).toEqual([
      'delivered',
      'delivered',
      'delivered',
    ])
    expect(inFeishu(check).status).toBe('completed')
    expect(await check.shown()).toMatchObject({ state: 'completed', attention: [], next_poll_at: null })
    expect(await check.kinds()).toEqual(expect.arrayContaining(['resend_wanted', 'resent']))
    expect(broken(check, resultWord(check, at))).toEqual([])
  })

  it('a result that Feishu takes no more is dead, and the order stays as the one before has left it', async () => {
    world.feishu.setSwitches({ resultAfterRejection: 'refuse_1002858' })
    const check = await rejected()
    expect((await check.resendResult()).status).toBe(202)
    await eventually(async () => (await check.shown())['attention']).toEqual(['delivery_dead'])
    expect(await check.shown()).toMatchObject({
      state: 'completed',
      deliveries: [
        { state: 'delivered' },
        { state: 'delivered' },
        { state: 'dead', class: 'feishu', last_error: { code: 1002858 } },
      ],
    })
    world.feishu.setSwitches({ resultAfterRejection: 'accept' })
    expect((await check.resendResult()).status).toBe(202)
    await eventually(async () => (await check.deliveries()).map((each) => each['state'])).toEqual([
      'delivered',
      'delivered',
      'superseded',
      'delivered',
    ])
    expect(await check.shown()).toMatchObject({ state: 'completed', attention: [] })
  })

  it('a result while the one before is being approved: it waits, and the order is known to be held', async () => {
    world.feishu.setSwitches({ reportApproval: true })
    const check = await reported()
    expect((await check.resendResult()).status).toBe(202)
    await check.is('reported')
    expect(await check.kinds()).toContain('held_for_approval')
    const waiting = (await check.deliveries()).at(-1)
    expect(waiting).toMatchObject({ state: 'pending', last_error: { code: 1002863 } })
    expect(Date.parse(String(waiting?.['next_attempt_at'])) - Date.now()).toBeGreaterThan(3_000_000)
    expectRefused(await check.resendResult(), 'not-resendable')
    expectRefused(await check.resendStage('st-1'), 'not-resendable')
    expect(sentResults(check)).toEqual([0, 1002863])
  })

  it('a result that is held can be stopped: only the cancel goes, and the vendor has nothing to stop', async () => {
    world.feishu.setSwitches({ reportApproval: true })
    const check = await reported()
    const at = Date.now()
    await check.resendResult()
    await check.is('reported')
    const words = [
      { backgroundCheckId: check.id, at, does: 'resend_result' },
      { backgroundCheckId: check.id, at, does: 'cancel' },
    ] as const
    expect((await check.cancel()).status).toBe(202)
    await check.is('canceled')
    expect(inFeishu(check)).toMatchObject({ status: 'terminated', stages: [{ stageId: 'st-1' }] })
    expect(check.applied()).toEqual(['update_progress', 'update_result', 'cancel'])
    expect(world.vendor.order(check.id).status).toBe('completed')
    expect(broken(check, words)).toEqual([])
    expectRefused(await check.resendResult(), 'order-ended')
  })

  it('a result that the customer stops while it is held: the vendor has nothing to stop', async () => {
    world.feishu.setSwitches({ reportApproval: true })
    const check = await reported()
    await check.resendResult()
    await check.is('reported')
    world.feishu.cancelOrder(check.id)
    await check.is('canceled')
    expect((await check.deliveries()).map((each) => each['state'])).toEqual(['delivered', 'delivered', 'superseded'])
    expect(world.vendor.order(check.id).status).toBe('completed')
  })

  it.each([
    ['was taken', true, 'unconfirmed'],
    ['was not taken', false, null],
  ] as const)('a result whose answer was lost: nothing is inferred where it %s', async (_what, apply, deadClass) => {
    const check = await rejected()
    world.feishu.addFault({
      match: { api: 'update_result', backgroundCheckId: check.id },
      action: { kind: 'reset', apply },
    })
    const at = Date.now()
    await check.resendResult()
    const settled = deadClass === null ? { state: 'delivered' } : { state: 'dead', class: deadClass }
    await eventually(async () => (await check.deliveries()).slice(2)).toMatchObject([settled])
    expect(inFeishu(check).status).toBe('completed')
    expect(world.feishu.calls({ api: 'update_result', backgroundCheckId: check.id, applied: true })).toHaveLength(2)
    expect(broken(check, resultWord(check, at))).toEqual([])
    await check.is('completed')
  })

  it('a stage that changed after it was sent, as a new one; the flag goes and stays away', async () => {
    const check = await orderCheck(world)
    await check.begin()
    const [first] = world.vendor.order(check.id).stages
    if (first === undefined) throw new Error('no stage')
    world.vendor.setOrder(check.id, { stages: [{ ...first, name: '身份核验（更正）' }] })
    await eventually(async () => (await check.shown())['attention']).toEqual(['changed_after_sent'])
    const at = Date.now()
    expect((await check.resendStage('st-1')).status).toBe(202)
    await check.hasStages('st-1', 'st-1-2')
    const [before, after] = inFeishu(check).stages
    expect(after?.name).toBe('身份核验（更正）')
    expect(after?.time).toBeGreaterThan(before?.time ?? 0)
    await eventually(async () => (await check.shown())['attention']).toEqual([])
    world.vendor.addStage(check.id, { id: 'st-2', name: '学历核实' })
    await check.hasStages('st-1', 'st-1-2', 'st-2')
    expect((await check.shown())['attention']).toEqual([])
    const stages = world.vendor
      .order(check.id)
      .stages.map((stage) => (stage.id === 'st-1' ? { ...stage, name: '身份核验（再更正）' } : stage))
    world.vendor.setOrder(check.id, { stages })
    await eventually(async () => (await check.shown())['attention']).toEqual(['changed_after_sent'])
    expect((await check.resendStage('st-1-2')).status).toBe(202)
    await check.hasStages('st-1', 'st-1-2', 'st-2', 'st-1-3')
    world.vendor.complete(check.id, { result: '无差异' })
    await check.is('completed')
    expectRefused(await check.resendStage('st-1'), 'not-resendable')
    const again = { backgroundCheckId: check.id, at, does: 'resend_stage', resends: 'st-1' } as const
    const operatorWords = [
      { ...again, stageId: 'st-1-2' },
      { ...again, stageId: 'st-1-3' },
    ]
    expect(broken(check, operatorWords, ['st-1', 'st-2'])).toEqual([])
  })

  it('what the vendor says nothing of any more goes as it was sent last', async () => {
    const check = await orderCheck(world)
    await check.begin()
    world.vendor.setOrder(check.id, { stages: [] })
    expect((await check.resendStage('st-1')).status).toBe(202)
    await check.hasStages('st-1', 'st-1-2')
    expect(inFeishu(check).stages[1]).toMatchObject({ name: '身份核验' })
  })

  it('waits for a vendor that cannot be asked, and is dropped when the order is stopped meanwhile', async () => {
    const check = await orderCheck(world)
    await check.begin()
    world.vendor.addFault({
      match: { operation: 'orders.get', backgroundCheckId: check.id },
      action: { kind: 'answer', httpStatus: 429 },
      times: 'always',
    })
    expect((await check.resendStage('st-1')).status).toBe(202)
    expectRefused(await check.resendStage('st-1'), 'not-resendable')
    expect((await check.cancel()).status).toBe(202)
    await check.is('canceled')
    world.vendor.clearFaults()
    await eventually(() => check.kinds()).toContain('resend_dropped')
    expect(check.applied()).toEqual(['update_progress', 'update_progress', 'cancel'])
  })
})
