import type { Child } from '../support/child.js'
import { postgresCpuMs } from '../support/cpu.js'
import { median, spread, sum } from '../support/figures.js'
import type { Section } from '../support/report.js'
import { walPosition } from '../support/wal.js'
import { type DelayedRun, runDelayed, startDelayed } from './bullmq.js'
import type { Cycled } from './claimer.js'
import { type Sizes, sizesOf, spreadOver } from './rows.js'
import { intervalMs, mostPerClaim, type Settings } from './settings.js'
import { startClaimers, type World } from './world.js'

interface Round {
  perSecond: number
  /** Of the claimers and of PostgreSQL, in µs for each order. */
  cpuUs: number
  postgresUs: number
  walBytes: number
}

interface Runs {
  ours: Round[]
  delayed: DelayedRun[]
}

/** (a) Claim and schedule again, everything due, against delayed jobs; the same with many tenants. */
export async function claims(world: World, settings: Settings): Promise<Section> {
  const { tenants, manyTenants } = settings
  const sizes = await sizesOf(world)
  const runs = new Map<number, Runs>()
  for (const workers of [1, 2]) runs.set(workers, { ours: [], delayed: [] })
  const many: Round[] = []
  for (let round = 0; round < settings.rounds; round += 1) {
    await spreadOver(world, tenants)
    for (const [workers, { ours, delayed }] of runs) {
      ours.push(await cycle(world, settings, workers))
      delayed.push(await delay(world, settings, workers))
    }
    await spreadOver(world, manyTenants)
    many.push(await cycle(world, settings, 2))
  }
  await spreadOver(world, tenants)
  return section(settings, sizes, runs, many)
}

async function cycle(world: World, { roundMs }: Settings, count: number): Promise<Round> {
  const claimers = await startClaimers(world, count)
  const ask = (each: Child, forMs: number) =>
    each.ask<Cycled>('run', { forMs, cycles: Number.MAX_SAFE_INTEGER, intervalMs })
  await Promise.all(claimers.map((each) => ask(each, 200)))
  const [cpuBefore, walBefore] = [await postgresCpuMs(world.pool), await walPosition(world.pool)]
  const done = await Promise.all(claimers.map((each) => ask(each, roundMs)))
  const postgresMs = (await postgresCpuMs(world.pool)) - cpuBefore
  const walBytes = (await walPosition(world.pool)) - walBefore
  await Promise.all(claimers.map((each) => each.stop()))
  if (done.some((each) => each.foundNothing)) throw new Error('all that was due was claimed before the round was over')
  const cycles = sum(done.map((each) => each.cycles))
  return {
    perSecond: sum(done.map((each) => each.cycles / each.seconds)),
    cpuUs: (1000 * sum(done.map((each) => each.cpuMs))) / cycles,
    postgresUs: (1000 * postgresMs) / cycles,
    walBytes: walBytes / cycles,
  }
}

async function delay({ stores }: World, { delayedJobs }: Settings, count: number): Promise<DelayedRun> {
  const workers = await startDelayed(stores, count)
  const run = await runDelayed(stores, workers, delayedJobs)
  await Promise.all(workers.map((each) => each.stop()))
  return run
}

function ratiosOf(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((each, round) => each / (theirs[round] ?? Number.NaN))
}

function section(
  { orders, tenants, manyTenants, delayedJobs }: Settings,
  sizes: Sizes,
  runs: Map<number, Runs>,
  many: Round[],
): Section {
  const one = runs.get(1) ?? { ours: [], delayed: [] }
  const two = runs.get(2) ?? { ours: [], delayed: [] }
  const rate = (rounds: readonly { perSecond: number }[]) => rounds.map((round) => round.perSecond)
  const bytes = ((sizes.tableMb + sizes.indexesMb) * 1024 ** 2) / orders
  const tableBytes = (sizes.tableMb * 1024 ** 2) / orders
  const jobBytes = [...one.delayed, ...two.delayed].map((run) => run.bytesEach)
  const ratios = ratiosOf(rate(two.ours), rate(two.delayed))
  const byTenants = ratiosOf(rate(many), rate(two.ours))
  const row = (name: string, rounds: readonly Round[]) => {
    const of = (what: keyof Round) => rounds.map((round) => round[what])
    return [
      name,
      spread(of('perSecond'), 0),
      spread(of('cpuUs'), 1),
      spread(of('postgresUs'), 1),
      spread(of('walBytes'), 0),
    ]
  }
  const perSecond = median(rate(two.ours))
  return {
    title: `(a) ${orders} open orders, all due: claim and schedule again, ${mostPerClaim} at a time`,
    head: ['', 'orders/s', 'CPU for each, µs', 'PostgreSQL’s CPU for each, µs', 'WAL for each, bytes'],
    rows: [
      row(`${tenants} tenants, one worker`, one.ours),
      row(`${tenants} tenants, two workers`, two.ours),
      row(`${manyTenants} tenants, two workers`, many),
      ['BullMQ, one worker', spread(rate(one.delayed), 0), '', '', ''],
      ['BullMQ, two workers', spread(rate(two.delayed), 0), '', '', ''],
      ['two workers against BullMQ’s two, by round', spread(ratios, 2), '', '', ''],
      [
        'bytes of an order’s schedule, with indexes',
        `${bytes.toFixed(0)} on disk (${tableBytes.toFixed(0)} without)`,
        '',
        '',
        '',
      ],
      ['bytes for each delayed job', `${spread(jobBytes, 0)} of Redis’s memory`, '', '', ''],
    ],
    aims: [
      { what: 'at least 20,000/s', figure: `${perSecond.toFixed(0)}/s with two workers`, met: perSecond >= 20_000 },
      {
        what: 'more than BullMQ’s delayed jobs',
        figure: `${spread(ratios, 2)} times with two workers`,
        met: median(ratios) > 1,
      },
      {
        what: 'with many tenants at least 0.8 of the rate',
        figure: `${spread(byTenants, 2)} with ${manyTenants}`,
        met: median(byTenants) >= 0.8,
      },
    ],
    notes: [
      `The worker calls what the poller calls: a claim in turns by tenant, which also reads the vendor’s number of each order, and one statement for all orders that did not change. A delayed job carries the tenant and the interval; its worker takes it and delays it again. Both are warm. BullMQ holds ${delayedJobs} jobs at a time, the service all ${orders} orders. Each round of a schedule begins after a checkpoint, so whole pages are in the WAL.`,
    ],
    gates: [
      { what: 'claims and schedules against BullMQ, two workers', ratio: median(ratios), least: 1 },
      { what: `the rate with ${manyTenants} tenants against ${tenants}`, ratio: median(byTenants), least: 0.3 },
    ],
  }
}
