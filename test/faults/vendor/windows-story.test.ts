import { afterEach, describe, expect, it } from 'vitest'
import { type Life, live, orderChecks, untilEnded } from '../../story/lives.js'
import { modes, startWorld, type World } from '../../story/world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

const lives: Life[] = ['plain', 'stages', 'no stages', 'canceled early', 'vendor stops']

describe.each(modes)('in the mode %s', (mode) => {
  it('checks come to their ends with never more calls than VENDOR_RATE_LIMITS says, over all processes', async () => {
    world = await startWorld({
      mode,
      vendor: { rateLimits: [{ limit: 12, windowMs: 1000 }] },
      env: { VENDOR_RATE_LIMITS: '12/1s' },
      ...(mode === 'redis' && { processes: ['receiver,poller,sync', 'poller'] }),
    })
    const running = world
    const orders = await orderChecks(running, [...lives, ...lives])
    await Promise.all(orders.map((order) => live(running, order)))
    await untilEnded(running, orders, 90_000)
    expect(running.vendor.calls({ httpStatus: 429 })).toEqual([])
    expect(running.vendor.worstWindows()).toMatchObject([{ limit: 12 }])
    expect(running.vendor.worstWindows()[0]?.worst).toBeLessThanOrEqual(12)
    expect(running.feishu.checkPromises()).toEqual([])
    for (const { id } of orders) expect(running.vendor.orderCount(id)).toBeLessThanOrEqual(1)
  }, 120_000)
})
