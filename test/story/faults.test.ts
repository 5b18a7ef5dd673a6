import { afterEach, describe, expect, it } from 'vitest'
import { type FaultRates, seededFaults } from '../../src/sandbox/index.js'
import { everyLife, expectExactCalls, live, orderChecks, untilEnded } from './lives.js'
import { modes, startWorld, type World } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

const feishuRates: FaultRates = {
  reset: 0.04,
  lostAnswer: 0.06,
  hang: 0.01,
  lostAnswerHang: 0.02,
  serverError: 0.04,
  serverErrorApplied: 0.04,
  garbage: 0.03,
  garbageApplied: 0.03,
  slow: 0.05,
  tokenExpired: 0.03,
  rateLimited: 0.005,
}
const vendorRates: FaultRates = {
  reset: 0.04,
  lostAnswer: 0.05,
  hang: 0.01,
  serverError: 0.04,
  serverErrorApplied: 0.03,
  garbage: 0.03,
  garbageApplied: 0.03,
  slow: 0.05,
}
const lives = Array.from({ length: 17 }, () => everyLife)
  .flat()
  .slice(0, 100)
const order = new Set<string | undefined>(['update_progress', 'update_result', 'cancel'])

describe.each(modes)('in the mode %s', (mode) => {
  it.each([11, 23])(
    'brings a hundred checks to their ends through faults on both sides (seed %i)',
    async (seed) => {
      world = await startWorld({
        mode,
        env: { FEISHU_TIMEOUT_MS: '400', VENDOR_TIMEOUT_MS: '400' },
        ...(mode === 'redis' && { processes: ['receiver,poller,sync', 'poller,sync'] }),
      })
      const running = world
      running.feishu.useFaults(seededFaults(seed, feishuRates, ({ api }) => order.has(api)))
      running.vendor.useFaults(seededFaults(seed, vendorRates))
      const orders = await orderChecks(running, lives, 2)
      await Promise.all(orders.map((each) => live(running, each)))
      await untilEnded(running, orders, 100_000)
      expectExactCalls(running, orders)
      expect(running.feishu.checkPromises()).toEqual([])
      expect((await running.api('GET', '/v1/deliveries?state=dead')).body['items']).toEqual([])
    },
    160_000,
  )
})
