import { quantile, spread } from '../support/figures.js'
import type { Section } from '../support/report.js'
import type { Stores } from '../support/stores.js'
import { until } from '../support/wait.js'
import { expectedWaits } from './expected.js'
import type { FeishuSaw } from './feishu.js'
import { pollMinMs, type Settings, tenantsOf, type Way } from './settings.js'
import type { VendorSaw } from './vendor.js'
import { startWorld } from './world.js'

interface Round {
  way: Way
  /** From the acknowledgement of an order's event until the vendor has it, in ms. */
  toVendor: number[]
  /** Since the vendor shows a first stage, until Feishu has accepted it. */
  toFeishu: number[]
  violations: number
}

/** (a) A steady load: how late the vendor and Feishu know, by the way that changes are heard of. */
export async function steady(stores: Stores, settings: Settings): Promise<Section> {
  const rounds: Round[] = []
  for (let round = 0; round < settings.rounds; round += 1) {
    for (const way of settings.ways) rounds.push(await orderSteadily(stores, settings, way))
  }
  return section(settings, rounds)
}

async function orderSteadily(stores: Stores, settings: Settings, way: Way): Promise<Round> {
  const world = await startWorld(stores, settings, way)
  try {
    const tenants = tenantsOf(settings).slice(0, settings.ordersPerSecond)
    const perTenant = Math.round(settings.steadyMs / 1000)
    const { feishu, vendor } = world
    await feishu.ask('make', { tenants, perTenant })
    await feishu.ask('order', { pace: { perSecond: settings.ordersPerSecond } })
    const count = tenants.length * perTenant
    const done = async () => (await feishu.ask<{ results: number }>('counts')).results === count
    await until(`all have their results, by ${way}`, done, settings.steadyMs + 60_000, 500)
    const [at, from] = [await feishu.ask<FeishuSaw>('saw'), await vendor.ask<VendorSaw>('saw')]
    const placed = new Map(from.orders.map((order) => [order.id, order]))
    // The first ones meet code that is not compiled yet and tenants without a token.
    const checks = at.checks.filter((_, index) => index >= tenants.length)
    return {
      way,
      toVendor: checks.map(
        ({ id, acknowledgedAt = Number.NaN }) => (placed.get(id)?.placedAt ?? Number.NaN) - acknowledgedAt,
      ),
      toFeishu: checks.map(({ id, stageAt = Number.NaN }) => stageAt - (placed.get(id)?.stageAt ?? Number.NaN)),
      violations: at.violations.length + from.doubled,
    }
  } finally {
    await world.stop()
  }
}

const names: Record<Way, string> = {
  nudge: '`POST /v1/vendor/orders/{vendor_order_id}/changed`',
  feed: `the changes feed, every ${pollMinMs / 1000} s`,
  polls: `polls, ${pollMinMs / 1000} s at first`,
}

function section(settings: Settings, rounds: readonly Round[]): Section {
  const of = (way: Way) => rounds.filter((round) => round.way === way)
  const ms = (way: Way, which: 'toVendor' | 'toFeishu', share: number) =>
    spread(
      of(way).map((round) => quantile(round[which], share)),
      0,
    )
  const median = (way: Way) =>
    quantile(
      of(way).flatMap((round) => round.toFeishu),
      0.5,
    )
  const expected = new Map(settings.ways.map((way) => [way, expectedWaits(way, settings.stageAfterMs)]))
  const wait = (way: Way, share: number) => quantile(expected.get(way) ?? [], share)
  const violations = rounds.reduce((total, round) => total + round.violations, 0)
  const nudged = median('nudge')
  return {
    title: `(a) ${settings.ordersPerSecond} orders per second: how late each side knows`,
    head: [
      'ms',
      'acknowledged → at the vendor, p50',
      'p99',
      'shown by the vendor → accepted by Feishu, p50',
      'p99',
      'of it the wait for the next look, p50',
      'p99',
    ],
    rows: settings.ways.map((way) => [
      names[way],
      ms(way, 'toVendor', 0.5),
      ms(way, 'toVendor', 0.99),
      ms(way, 'toFeishu', 0.5),
      ms(way, 'toFeishu', 0.99),
      wait(way, 0.5).toFixed(0),
      wait(way, 0.99).toFixed(0),
    ]),
    aims: [
      {
        what: 'half of all nudged stages are in Feishu within 250 ms',
        figure: `${nudged.toFixed(0)} ms`,
        met: nudged <= 250,
      },
      { what: 'nothing lost or doubled, by the oracle', figure: `${violations} violations`, met: violations === 0 },
    ],
    notes: [
      `One process of each role, the strict sandboxes in processes of their own, ${settings.rounds} rounds of ${settings.steadyMs / 1000} s for each way, the first second left out. A stage is reached ${settings.stageAfterMs.map((each) => each / 1000).join('–')} s after its order was placed, at random, and the result soon after it. By nudges alone: \`VENDOR_POLL_MIN_MS\` is 30 s as shipped, and no feed. The feed and the polls are set to ${pollMinMs / 1000} s; as shipped both look every 30 s, and the wait, which is nearly all of it, is 30 times as long. The wait is computed: that for a feed is even up to its interval, that for polls comes from the schedule, whose intervals grow by half while nothing changes.`,
    ],
    gates: [
      { what: 'a nudged stage: p50 until Feishu accepts it, to 250 ms', ratio: nudged / 250, most: 8 },
      { what: 'steady orders: violations', ratio: violations, most: 0 },
    ],
  }
}
