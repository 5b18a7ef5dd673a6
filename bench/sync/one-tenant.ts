import { join } from 'node:path'
import { wakePumps } from '../../src/flow/to-feishu/wake-pumps.js'
import { type Child, startChild } from '../support/child.js'
import { spread } from '../support/figures.js'
import type { Section } from '../support/report.js'
import { type Stores, startRedis } from '../support/stores.js'
import { until } from '../support/wait.js'
import type { Seen } from './feishu.js'
import { freshIds, holdApp, putOrders, release } from './rows.js'
import type { Usage } from './service.js'
import { customApp, type Settings, windowsOf } from './settings.js'
import { difference, startWorld, type World } from './world.js'

const tenantKey = 'tk_bench'
const processes = 3

interface Run {
  latencyMs: number
  seen: Seen
  /** Seconds from the moment all was due until so many were answered. */
  minuteFull: number
  refilled: number
  last: number
  usage: Usage
}

interface Ideal {
  minuteFull: number
  refilled: number
  last: number
}

/**
 * (a) One tenant's backlog, more than a minute allows, sent by three processes to the sandbox. The latencies have each a
 * world of their own and run at once: most of the time is Feishu's minute.
 */
export async function oneTenant(stores: Stores, settings: Settings): Promise<Section> {
  const worlds = settings.latenciesMs.map((latencyMs) => backlogs(stores, settings, latencyMs))
  return section(settings, (await Promise.all(worlds)).flat())
}

async function backlogs(shared: Stores, settings: Settings, latencyMs: number): Promise<Run[]> {
  const redis = await startRedis(join(shared.folder, `redis-${latencyMs}`))
  const feishu = await startChild('sync/feishu')
  const stores = { ...shared, redisUrl: redis.url }
  const runs: Run[] = []
  for (let round = 0; round < settings.rounds; round += 1) {
    runs.push(await sendBacklog(stores, settings, feishu, latencyMs))
  }
  await Promise.all([feishu.stop(), redis.stop()])
  return runs
}

async function sendBacklog(stores: Stores, settings: Settings, feishu: Child, latencyMs: number): Promise<Run> {
  const orders = freshIds(settings.dueAtOnce)
  const warm = freshIds(1)
  const windows = windowsOf(settings)
  const feishuUrl = await feishu.ask<string>('setUp', {
    app: customApp,
    tenantKey,
    latencyMs,
    rateLimits: windows,
    orders: [...orders, ...warm],
  })
  const world = await startWorld({ stores, feishuUrl, processes, windows })
  try {
    await warmUp(world, feishu, warm)
    await holdApp(world, customApp.appId)
    const { bucket } = await putOrders(world, { appId: customApp.appId, tenantKey }, orders)
    const before = await world.usage()
    const dueAt = await release(world, [bucket])
    const done = async () => (await feishu.ask<number>('delivered')) >= orders.length
    await until('the backlog is sent', done, 3 * settings.long.windowMs, 250)
    const seen = await feishu.ask<Seen>('seen')
    const answered = seen.delivered.map(({ endedAt }) => (endedAt - dueAt) / 1000).sort((a, b) => a - b)
    const at = (count: number) => answered[count - 1] ?? Number.NaN
    const { limit } = settings.long
    const usage = difference(await world.usage(), before)
    return { latencyMs, seen, minuteFull: at(limit), refilled: at(limit + 1), last: at(orders.length), usage }
  } finally {
    await world.stop()
  }
}

/** Another method's call, so that the token is known, as it nearly always is, and the method's windows are untouched. */
async function warmUp(world: World, feishu: Child, ids: readonly string[]): Promise<void> {
  const { bucket } = await putOrders(world, { appId: customApp.appId, tenantKey }, ids, 'cancel')
  wakePumps(world.hints, [bucket])
  await until('the warm-up is sent', async () => (await feishu.ask<number>('canceled')) === ids.length, 20_000)
}

/**
 * A slot comes free one window after the answer of its call, so full batches leave every `window + latency`. The
 * design's rate, `limit / (window + latency)`, counts that for every batch; the least possible, not for the first.
 */
export function idealOf({ short, long, dueAtOnce }: Settings, latencyMs: number): Record<'byRate' | 'least', Ideal> {
  const batchMs = short.windowMs + latencyMs
  const refilledMs = long.windowMs + latencyMs
  const ideal = (sentMs: (calls: number) => number): Ideal => ({
    minuteFull: sentMs(long.limit) / 1000,
    refilled: (refilledMs + latencyMs) / 1000,
    last: (refilledMs + sentMs(dueAtOnce - long.limit)) / 1000,
  })
  return {
    byRate: ideal((calls) => (calls / short.limit) * batchMs),
    least: ideal((calls) => (Math.ceil(calls / short.limit) - 1) * batchMs + latencyMs),
  }
}

function section(settings: Settings, runs: readonly Run[]): Section {
  const { short, long, dueAtOnce, latenciesMs } = settings
  const of = (latencyMs: number) => runs.filter((run) => run.latencyMs === latencyMs)
  const compare = (latencyMs: number, what: keyof Ideal) => {
    const seconds = of(latencyMs).map((run) => run[what])
    const { byRate, least } = idealOf(settings, latencyMs)
    const against = (ideal: number) => seconds.map((each) => each / ideal)
    const ratios = against(byRate[what])
    return {
      seconds: `${spread(seconds, 2)} s`,
      byRate: `${spread(ratios, 3)} of ${byRate[what].toFixed(2)} s`,
      least: `${spread(against(least[what]), 3)} of ${least[what].toFixed(2)} s`,
      ratios,
    }
  }
  const worst = (windowMs: number, some = runs) =>
    Math.max(...some.flatMap(({ seen }) => seen.worst.filter((each) => each.windowMs === windowMs).map((w) => w.worst)))
  const whats: Array<[keyof Ideal, string]> = [
    ['minuteFull', `first ${long.limit} answered`],
    ['refilled', `the next one, when ${long.windowMs / 1000} s are over`],
    ['last', `all ${dueAtOnce} answered`],
  ]
  const refused = runs.reduce((count, { seen }) => count + seen.refused, 0)
  const violations = runs.reduce((count, { seen }) => count + seen.violations, 0)
  const per = (latencyMs: number, figure: (run: Run) => number) =>
    spread(
      of(latencyMs).map((run) => figure(run) / dueAtOnce),
      3,
    )
  return {
    title: `(a) One tenant, ${dueAtOnce} due at once, ${processes} processes, at the sandbox's door`,
    head: ['latency', ...latenciesMs.map((ms) => `${ms} ms`)],
    rows: [
      [
        `worst ${short.windowMs / 1000} s`,
        ...latenciesMs.map((ms) => `${worst(short.windowMs, of(ms))} of ${short.limit}`),
      ],
      [
        `worst ${long.windowMs / 1000} s`,
        ...latenciesMs.map((ms) => `${worst(long.windowMs, of(ms))} of ${long.limit}`),
      ],
      ...whats.flatMap(([what, name]) => [
        [name, ...latenciesMs.map((ms) => compare(ms, what).seconds)],
        ['… against the design’s rate', ...latenciesMs.map((ms) => compare(ms, what).byRate)],
        ['… against the least possible', ...latenciesMs.map((ms) => compare(ms, what).least)],
      ]),
      ['SQL statements per delivery', ...latenciesMs.map((ms) => per(ms, (run) => run.usage.statements))],
      ['Redis commands for slots per delivery', ...latenciesMs.map((ms) => per(ms, (run) => run.usage.slotCommands))],
      ['CPU per delivery, ms, all processes', ...latenciesMs.map((ms) => per(ms, (run) => run.usage.cpuMs))],
    ],
    aims: [
      {
        what: `at most ${short.limit} in any second`,
        figure: String(worst(short.windowMs)),
        met: worst(short.windowMs) <= short.limit,
      },
      {
        what: `at most ${long.limit} in any ${long.windowMs / 1000} s`,
        figure: String(worst(long.windowMs)),
        met: worst(long.windowMs) <= long.limit,
      },
      { what: 'no call refused for its rate', figure: String(refused), met: refused === 0 },
      { what: 'no promise broken, by the sandbox’s oracle', figure: String(violations), met: violations === 0 },
      ...latenciesMs.flatMap((ms) =>
        whats.map(([what, name]) => {
          const { byRate, ratios } = compare(ms, what)
          return {
            what: `${ms} ms, ${name}: at most 1.03 of the design’s rate`,
            figure: byRate,
            met: Math.max(...ratios) <= 1.03,
          }
        }),
      ),
    ],
    notes: [
      'The clock runs from the commit that makes the rows due, so the hint and the lease are in the figures; the token is known from a call before. The design’s rate is one full batch every `window + latency`. The least possible is one batch less, since the first one waits for nothing; in the quick form the start weighs more against it. Each latency has a Redis, a sandbox and processes of its own; both run at once, as they wait for Feishu’s windows nearly all of the time.',
    ],
    gates: [short, long].map(({ limit, windowMs }) => ({
      what: `one tenant: the fullest ${windowMs / 1000} s against its limit`,
      ratio: worst(windowMs) / limit,
      most: 1,
    })),
  }
}
