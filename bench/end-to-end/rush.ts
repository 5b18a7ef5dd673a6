import { cpus } from 'node:os'
import { median, spread, sum } from '../support/figures.js'
import type { Section } from '../support/report.js'
import type { Stores } from '../support/stores.js'
import { until } from '../support/wait.js'
import type { FeishuSaw } from './feishu.js'
import { pollMinMs, type Settings, tenantsOf } from './settings.js'
import type { VendorSaw } from './vendor.js'
import { startWorld, type World } from './world.js'

const atOnce = 64
const vendorConcurrency = 16
const window = { limit: 50, windowMs: 1000 }
const cores = cpus().length
/** From this share on CPU is said to be what bounds the whole; the rest is the start and the end of it. */
const boundShare = 0.8

interface Round {
  /** Seconds from the first push until the last one of each. */
  acknowledged: number
  placed: number
  stages: number
  results: number
  /** Seconds between the moment at which the vendor showed the last one and the last acceptance. */
  afterVendor: number
  lost: number
  doubled: number
  violations: string[]
  pushedAgain: number
  refused: number
  placingMs: number
  cpu: Awaited<ReturnType<World['cpu']>>
  memory: Awaited<ReturnType<World['peakMemory']>>
}

/** (b) Many orders at once, from the push to the accepted result. */
export async function rush(stores: Stores, settings: Settings): Promise<Section> {
  const rounds: Round[] = []
  for (let round = 0; round < settings.rounds; round += 1) rounds.push(await orderAll(stores, settings))
  return section(settings, rounds)
}

async function orderAll(stores: Stores, settings: Settings): Promise<Round> {
  const world = await startWorld(stores, { ...settings, resultAfterMs: settings.stageAfterMs }, 'feed')
  try {
    const { feishu, vendor } = world
    const count = settings.tenants * settings.perTenant
    await feishu.ask('make', { tenants: tenantsOf(settings), perTenant: settings.perTenant })
    const before = await world.cpu()
    const startedAt = await feishu.ask<number>('order', { pace: { atOnce } })
    const done = async () => (await feishu.ask<{ results: number }>('counts')).results >= count
    await until('all have their results', done, 600_000, 1000)
    const after = await world.cpu()
    const [at, from] = [await feishu.ask<FeishuSaw>('saw'), await vendor.ask<VendorSaw>('saw')]
    const last = (times: ReadonlyArray<number | undefined>) =>
      (times.reduce<number>((latest, time = Number.NaN) => Math.max(latest, time), 0) - startedAt) / 1000
    const results = last(at.checks.map((check) => check.resultAt))
    return {
      acknowledged: last(at.checks.map((check) => check.acknowledgedAt)),
      placed: last(from.orders.map((order) => order.placedAt)),
      stages: last(at.checks.map((check) => check.stageAt)),
      results,
      afterVendor: results - last(from.orders.map((order) => order.resultAt)),
      lost: at.checks.filter(({ stageAt, resultAt }) => stageAt === undefined || resultAt === undefined).length,
      doubled: from.doubled,
      violations: at.violations,
      pushedAgain: at.pushedAgain,
      refused: at.refused,
      placingMs: from.calls['orders.create']?.meanMs ?? Number.NaN,
      cpu: differenceOf(after, before),
      memory: await world.peakMemory(),
    }
  } finally {
    await world.stop()
  }
}

function differenceOf(after: Round['cpu'], before: Round['cpu']): Round['cpu'] {
  const { receiver, poller, sync, feishu, vendor, postgres, redis } = before
  return {
    receiver: after.receiver - receiver,
    poller: after.poller - poller,
    sync: after.sync - sync,
    feishu: after.feishu - feishu,
    vendor: after.vendor - vendor,
    postgres: after.postgres - postgres,
    redis: after.redis - redis,
  }
}

/** Seconds that the CPU of all processes takes when every core works all of the time. */
function cpuSecondsOf({ cpu }: Round): number {
  return sum(Object.values(cpu)) / 1000 / cores
}

/** Whether it is CPU that the time until the last result goes by. */
function boundBy(rounds: readonly Round[], count: number): string {
  const seconds = median(rounds.map(cpuSecondsOf))
  const share = median(rounds.map((round) => cpuSecondsOf(round) / round.results))
  const perOrder = ((seconds * cores * 1000) / count).toFixed(1)
  const reckoned = `${perOrder} ms of all processes for an order over ${cores} cores is ${seconds.toFixed(1)} s, ${share.toFixed(2)} of the time until the last result`
  return share >= boundShare ? `What bounds it is CPU: ${reckoned}.` : `It waits, too: ${reckoned}.`
}

function section(settings: Settings, rounds: readonly Round[]): Section {
  const count = settings.tenants * settings.perTenant
  const of = (figure: (round: Round) => number, digits = 1) => spread(rounds.map(figure), digits)
  const windowsLeast = ((Math.ceil(settings.perTenant / window.limit) - 1) * window.windowMs) / 1000
  const placingLeast = (round: Round) => (count / vendorConcurrency) * (round.placingMs / 1000)
  const [stageLeast, stageMost] = settings.stageAfterMs
  const all = (figure: (round: Round) => number) => rounds.reduce((total, round) => total + figure(round), 0)
  const violations = rounds.flatMap((round) => round.violations)
  const broken = violations.length + all((round) => round.lost + round.doubled)
  const per = (name: keyof Round['cpu']) => of((round) => round.cpu[name] / count, 2)
  const memory = (name: keyof Round['memory']) => of((round) => round.memory[name], 0)
  const used = (name: keyof Round['memory']) => [
    `CPU per order of ${name}, ms`,
    per(name),
    `at most ${memory(name)} MiB`,
  ]
  return {
    title: `(b) ${count} orders at once, ${settings.tenants} tenants with ${settings.perTenant} each`,
    head: ['seconds since the first push, until the last', '', 'what the limits alone take'],
    rows: [
      ['is acknowledged', of((round) => round.acknowledged), ''],
      [
        'is at the vendor',
        of((round) => round.placed),
        `${of(placingLeast, 2)}: ${vendorConcurrency} calls to the vendor at a time`,
      ],
      ['has its first stage in Feishu', of((round) => round.stages), `${windowsLeast}: Feishu's windows alone`],
      ['has its result accepted', of((round) => round.results), `${windowsLeast}, beside the stages`],
      ['… after the vendor showed the last', of((round) => round.afterVendor), ''],
      ['orders per second, until the last result', of((round) => count / round.results), ''],
      ['pushes not answered 200 at first', String(all((round) => round.pushedAgain)), `of ${rounds.length * count}`],
      used('receiver'),
      used('poller'),
      used('sync'),
      used('feishu'),
      used('vendor'),
      ['CPU per order of postgres, ms', per('postgres'), ''],
      ['CPU per order of redis, ms', per('redis'), ''],
      ['CPU per order of all of these, ms', of((round) => sum(Object.values(round.cpu)) / count), ''],
    ],
    aims: [
      { what: 'nothing lost or doubled, by the oracle', figure: `${broken} violations`, met: broken === 0 },
      {
        what: 'no call refused for its rate',
        figure: String(all(({ refused }) => refused)),
        met: all(({ refused }) => refused) === 0,
      },
    ],
    notes: [
      `${atOnce} pushes at a time; the changes feed is followed every ${pollMinMs / 1000} s; an order has its stage ${stageLeast / 1000}–${stageMost / 1000} s after it was placed and its result as long after that. Everything shares the machine: \`feishu\` and \`vendor\` are the strict sandboxes, which keep a journal of every call, and count as much as the service here.`,
      boundBy(rounds, count),
      ...violations.slice(0, 5),
    ],
    gates: [
      { what: 'all at once: lost, doubled, or a promise broken', ratio: broken, most: 0 },
      {
        what: 'all at once: what comes after the vendor had the last result, of the whole time',
        ratio: median(rounds.map(({ afterVendor, results }) => afterVendor / results)),
        most: 0.6,
      },
    ],
  }
}
