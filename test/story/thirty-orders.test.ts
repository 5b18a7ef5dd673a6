import { afterEach, describe, expect, it } from 'vitest'
import { everyLife, expectExactCalls, live, orderChecks, untilEnded } from './lives.js'
import { modes, startWorld, type World } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

const lives = Array.from({ length: 5 }, () => everyLife).flat()

describe.each(modes)('in the mode %s', (mode) => {
  it('brings thirty checks of three tenants to their ends, three copies of each event at once', async () => {
    world = await startWorld({
      mode,
      ...(mode === 'redis' && { processes: ['receiver', 'poller', 'sync', 'receiver,poller,sync'] }),
    })
    const orders = await orderChecks(world, lives, 3)
    const running = world
    await Promise.all(orders.map((order) => live(running, order)))
    await untilEnded(world, orders)
    expectExactCalls(world, orders)
    expect(world.feishu.checkPromises()).toEqual([])
  })

  it('finishes checks whose results an administrator has to approve', async () => {
    world = await startWorld({ mode, feishu: { switches: { reportApproval: true } } })
    const orders = await orderChecks(world, ['plain', 'stages', 'no stages'])
    const running = world
    await Promise.all(orders.map((order) => live(running, order)))
    await untilEnded(world, orders)
    expectExactCalls(world, orders)
    expect(world.feishu.checkPromises()).toEqual([])
  })
})
