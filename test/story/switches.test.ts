import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { switchSettings } from '../../src/sandbox/index.js'
import { expectExactCalls, type Life, live, orderChecks, untilEnded } from './lives.js'
import { startWorld, type World } from './world.js'

let world: World

beforeAll(async () => {
  world = await startWorld()
})

afterAll(() => world.stop())

const lives: Life[] = ['plain', 'stages', 'vendor stops', 'canceled late', 'canceled early', 'no stages']

describe.each(switchSettings)('where Feishu behaves like %o', (setting) => {
  it('brings every check to its end once, also when answers are lost and tokens die', async () => {
    const before = world.feishu.switches()
    world.feishu.setSwitches(setting)
    const orders = await orderChecks(world, lives, 2)
    for (const [index, { id }] of orders.entries()) {
      // Took effect and the answer was lost; did not take effect and nobody knows.
      const apply = index % 2 === 0
      world.feishu.addFault({
        match: { backgroundCheckId: id, api: 'update_progress' },
        action: { kind: 'reset', apply },
      })
      world.feishu.addFault({
        match: { backgroundCheckId: id, api: 'update_result' },
        action: { kind: 'reset', apply },
      })
      world.feishu.addFault({ match: { backgroundCheckId: id, api: 'cancel' }, action: { kind: 'reset', apply } })
    }
    world.feishu.revokeTokens()
    await Promise.all(orders.map((order) => live(world, order)))
    await untilEnded(world, orders)
    expectExactCalls(world, orders)
    expect(world.feishu.checkPromises()).toEqual([])
    world.feishu.clearFaults()
    world.feishu.setSwitches(before)
  })
})
