import { afterEach, describe, expect, it } from 'vitest'
import { customApp, eventually, modes, startWorld, type World } from './world.js'

let world: World | undefined

afterEach(async () => {
  if (process.env.SHOW_LOG) process.stderr.write(world?.log.join('') ?? '')
  await world?.stop()
  world = undefined
})

describe.each(modes)('in the mode %s', (mode) => {
  it('carries a check from its event through the vendor and back, in order and once', async () => {
    world = await startWorld({ mode })
    const { feishu, vendor } = world
    const account = feishu.createAccount({ appId: customApp.appId, tenantKey: 'tk_custom' })
    const { backgroundCheckId } = feishu.createOrder({
      appId: customApp.appId,
      tenantKey: 'tk_custom',
      accountId: account.accountId,
    })
    await eventually(() => vendor.orderCount(backgroundCheckId)).toBe(1)
    vendor.addStage(backgroundCheckId, { id: 'st-1', name: '身份核验', en_name: 'Identity verified' })
    vendor.addStage(backgroundCheckId, { id: 'st-2', name: '学历核实' })
    vendor.complete(backgroundCheckId, { result: '无差异' })
    await eventually(() => feishu.order(backgroundCheckId).status).toBe('completed')
    const calls = feishu.calls({ backgroundCheckId })
    expect(calls.map((call) => call.api)).toEqual(['update_progress', 'update_progress', 'update_result'])
    expect(calls.every((call) => call.applied)).toBe(true)
    expect(feishu.checkPromises()).toEqual([])
  })
})
