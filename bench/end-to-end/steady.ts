import { quantile, sum } from '../support/figures.js'
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
  pushedAgain: number
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
      pushedAgain: at.pushedAgain,
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

type Hop = 'toVendor' | 'toFeishu'

function section(settings: Settings, rounds: readonly Round[]): Section {
  const of = (way: Way) => rounds.filter((round) => round.way === way)
  const pooled = (way: Way, which: Hop, share: number) =>
    quantile(
      of(way).flatMap((round) => round[which]),
      share,
    )
  const p50 = (way: Way, which: Hop) => {
    const medians = of(way).map((round) => quantile(round[which], 0.5))
    const ofRounds =
      medians.length < 2 ? '' : ` (${Math.min(...medians).toFixed(0)}–${Math.max(...medians).toFixed(0)})`
    return pooled(way, which, 0.5).toFixed(0) + ofRounds
  }
  const p99 = (way: Way, which: Hop) => pooled(way, which, 0.99).toFixed(0)
  const expected = new Map(settings.ways.map((way) => [way, expectedWaits(way, settings.stageAfterMs)]))
  const wait = (way: Way, share: number) => quantile(expected.get(way) ?? [], share)
  const violations = sum(rounds.map((round) => round.violations))
  const pushedAgain = sum(rounds.map((round) => round.pushedAgain))
  const nudged = pooled('nudge', 'toFeishu', 0.5)
  const orders = of('nudge').reduce((total, { toFeishu }) => total + toFeishu.length, 0)
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
      p50(way, 'toVendor'),
      p99(way, 'toVendor'),
      p50(way, 'toFeishu'),
      p99(way, 'toFeishu'),
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
      { what: 'every push answered 200 at first', figure: `${pushedAgain} were not`, met: pushedAgain === 0 },
    ],
    notes: [
      `One process of each role, the strict sandboxes in processes of their own, ${settings.rounds} rounds of ${settings.steadyMs / 1000} s for each way, the first second left out. Percentiles are of the ${orders} orders of all rounds of a way together; in brackets the least and the most of the rounds’ medians. A stage is reached ${settings.stageAfterMs.map((each) => each / 1000).join('–')} s after its order was placed, at random, and the result soon after it. By nudges alone: \`VENDOR_POLL_MIN_MS\` is 30 s as shipped, and no feed. The feed and the polls are set to ${pollMinMs / 1000} s; as shipped both look every 30 s, and the wait is 30 times as long. The wait is computed: that for a feed is even up to its interval, that for polls comes from the schedule, whose intervals grow by half while nothing changes.`,
    ],
    gates: [
      {
        what: 'a nudged stage until Feishu accepts it, to an order until the vendor has it, p50',
        ratio: nudged / pooled('nudge', 'toVendor', 0.5),
        most: 12,
      },
      { what: 'steady orders: violations', ratio: violations, most: 0 },
    ],
  }
}
