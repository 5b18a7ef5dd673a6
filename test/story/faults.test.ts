import { afterEach, describe, expect, it } from 'vitest'
import { type FaultRates, type FaultSource, seededFaults } from '../../src/sandbox/index.js'
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
type VendorCall = { operation?: string; orderId?: string; backgroundCheckId?: string }

/** What the service asks for again after a pause that doubles from a second. */
const paused = new Set<string | undefined>(['accounts.create', 'orders.create', 'orders.find', 'orders.cancel'])
/** Together they pause for seven seconds; of a hundred checks one would else have six, and all the others wait a minute for it. */
const mostFailures = 3

/** The faults of a source, but that no check fails at the vendor more often than that. */
function sparing(source: FaultSource<VendorCall>): FaultSource<VendorCall> {
  const failures = new Map<string | undefined, number>()
  return (call) => {
    const action = source(call)
    if (action === undefined || action.kind === 'slow' || !paused.has(call.operation)) return action
    const before = failures.get(call.backgroundCheckId) ?? 0
    failures.set(call.backgroundCheckId, before + 1)
    return before < mostFailures ? action : undefined
  }
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
        env: { FEISHU_TIMEOUT_MS: '1500', VENDOR_TIMEOUT_MS: '1500' },
        ...(mode === 'redis' && { processes: ['receiver,poller,sync', 'poller,sync'] }),
      })
      const running = world
      running.feishu.useFaults(seededFaults(seed, feishuRates, ({ api }) => order.has(api)))
      running.vendor.useFaults(sparing(seededFaults(seed, vendorRates)))
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
