import { setTimeout as sleep } from 'node:timers/promises'
import type { LivedFault } from '../../test/faults/kit/live-one.js'
import { judge } from '../../test/faults/kit/oracle.js'
import { Service } from '../../test/faults/kit/services.js'
import { unsettled } from '../../test/faults/kit/unsettled.js'
import { Crowd } from './crowd.js'
import { liveThrough } from './faults.js'
import { indexed } from './indexed.js'
import { type Latencies, latenciesOf } from './latency.js'
import { openOperatorsDoor } from './operators.js'
import { planFor } from './plan.js'
import { type Sample, takeSample } from './sample.js'
import type { Settings } from './settings.js'
import { readTables, type Table } from './tables.js'
import { type SoakWorld, startSoakWorld } from './world.js'

/** Everything that a soak has seen. */
export interface Seen {
  samples: Sample[]
  lived: LivedFault[]
  latencies: Latencies
  /** What the oracle and the end found, in words. */
  found: string[]
  /** What was still under way when the time to settle was over. */
  left: string[]
  settledInMs: number
  /** When processes ended by themselves, ms since 1970. */
  ends: number[]
  checks: number
  calls: number
  vendorCalls: number
  /** The most calls in any window, and what is allowed. */
  windows: string[]
  limited: number
  tables: Table[]
  postgres: string
  folder: string
}

const settleWithinMs = 300_000

export async function soak(settings: Settings, tell: (line: string) => void): Promise<Seen> {
  const plan = planFor(settings)
  tell('building and starting …')
  const world = await startSoakWorld(settings, plan)
  const crowd = new Crowd(world.feishu, world.vendor, plan)
  try {
    return await watch(world, crowd, settings, tell)
  } finally {
    crowd.stop()
    await world.stop()
  }
}

async function watch(world: SoakWorld, crowd: Crowd, settings: Settings, tell: (line: string) => void): Promise<Seen> {
  const samples: Sample[] = []
  const lived: LivedFault[] = []
  let fault = ''
  crowd.bindAccounts()
  const sampling = startSampling(world, settings, (sample) => {
    samples.push(sample)
    if (samples.length % 5 === 0) tell(inALine(sample, samples[0]?.at ?? 0, crowd, fault))
  })
  const until = performance.now() + settings.lastsMs
  await Promise.all([
    crowd.orderUntil(until, settings.rate),
    liveThrough(world, settings, lived, (name) => {
      fault = name
    }),
  ])
  await sampling.stop()
  tell('the load is over; everything settles …')
  const since = performance.now()
  const left = await untilSettled(world, crowd)
  const settledInMs = performance.now() - since
  tell('asking the oracle …')
  const still = { ...world, feishu: indexed(world.feishu) }
  return {
    samples,
    lived,
    latencies: latenciesOf(still, crowd),
    found: await judgeAll(still, crowd, lived),
    left,
    settledInMs,
    ends: world.processes.flatMap(({ endedByItself }) => endedByItself),
    checks: crowd.checks.length,
    calls: still.feishu.calls().length,
    vendorCalls: world.vendor.calls().length,
    windows: worstOf(world),
    limited: still.feishu.calls({ code: 99991400 }).length,
    tables: await readTables(world),
    postgres: (await world.read<{ server_version: string }>('SHOW server_version'))[0]?.server_version ?? 'unknown',
    folder: world.folder,
  }
}

function startSampling(world: SoakWorld, { lastsMs }: Settings, take: (sample: Sample) => void) {
  const everyMs = lastsMs > 1_800_000 ? 5000 : 2000
  let isOver = false
  const sampling = (async () => {
    while (!isOver) {
      const next = performance.now() + everyMs
      take(await takeSample(world))
      await sleep(Math.max(0, next - performance.now()))
    }
  })()
  return {
    stop: async () => {
      isOver = true
      await sampling
    },
  }
}

function inALine({ at, processes, store, redis }: Sample, start: number, crowd: Crowd, fault: string): string {
  const elapsed = new Date(at - start).toISOString().slice(11, 19)
  const memory = processes.map(({ name, rssMiB, heapMiB }) => `${name}: ${rssMiB.toFixed(0)}/${heapMiB.toFixed(0)} MiB`)
  const waiting =
    store === undefined
      ? 'PostgreSQL is away'
      : `${store.ordersOpen} open, ${store.eventsWaiting} events and ${store.deliveriesWaiting} deliveries wait, polls ${store.pollsLateS.toFixed(1)} s late`
  const keys = redis === undefined ? '' : `, ${redis.redisKeys} keys`
  return `${elapsed} ${crowd.checks.length} orders, ${waiting}${keys}; ${memory.join(', ')}${fault && `; fault: ${fault}`}`
}

async function untilSettled(world: SoakWorld, crowd: Crowd): Promise<string[]> {
  const late = performance.now() + settleWithinMs
  for (;;) {
    const left = await unsettled(world, crowd)
    if (left.length === 0 || performance.now() > late) return left
    await sleep(500)
  }
}

/** By the kit's oracle, which asks /v1 about each order. */
async function judgeAll(world: SoakWorld, crowd: Crowd, lived: readonly LivedFault[]): Promise<string[]> {
  const [first, ...others] = world.places
  if (first === undefined) throw new Error('no process')
  const door = await openOperatorsDoor(first.service.port)
  // It never runs: the oracle asks it for its port.
  const service = new Service('operators', {}, world.folder)
  service.port = door.port
  try {
    return await judge({ ...world, places: [{ ...first, service }, ...others] }, crowd, lived)
  } finally {
    await door.stop()
  }
}

/** For each window, the bucket that came nearest to it. */
function worstOf({ feishu }: SoakWorld): string[] {
  const worst = new Map<string, { worst: number; limit: number; windowMs: number }>()
  for (const { limit, windowMs, worst: count } of feishu.worstWindows()) {
    const key = `${limit} in ${windowMs}`
    if ((worst.get(key)?.worst ?? -1) < count) worst.set(key, { worst: count, limit, windowMs })
  }
  return [...worst.values()].map(({ worst: most, limit, windowMs }) => `${most} of ${limit} in ${windowMs / 1000} s`)
}
