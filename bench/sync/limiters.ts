import { Redis } from 'ioredis'
import { worstCount } from '../../src/sandbox/support/windows.js'
import { startChild } from '../support/child.js'
import { spread } from '../support/figures.js'
import type { Section } from '../support/report.js'
import type { Stores } from '../support/stores.js'
import { bullmq, type Contender, flexibleUnion, gcra, ours, slidingLog } from './contenders.js'
import type { Arrival } from './door.js'
import { jitteringPost } from './post.js'
import { type Settings, windowsOf } from './settings.js'

/** Of one contender in one round. */
interface Measured {
  calls: number
  worst: number[]
  /** Calls that arrived in the second long window, as a share of its limit. */
  used: number
  /** Seconds until the first long window's worth had arrived; NaN if it never did. */
  first: number
  tripsPerCall: number
}

const contenders = [ours, bullmq, flexibleUnion, gcra, slidingLog]

/** (c) The same windows kept by different limiters, at the same time, with the same jitter on the way to the door. */
export async function limiters(stores: Stores, settings: Settings): Promise<Section> {
  const door = await startChild('sync/door')
  const url = await door.ask<string>('url')
  const windows = windowsOf(settings)
  const until = performance.now() + settings.comparisonMs
  const run = async (contender: Contender, round: number): Promise<Measured> => {
    // A database of Redis for each round: limiters of different rounds know nothing of each other.
    const redisUrl = `${stores.redisUrl}/${round}`
    const redis = new Redis(redisUrl)
    const name = `${contender.name}, round ${round}`
    const { trips } = await contender.run({ redis, redisUrl, windows, post: jitteringPost(url, name), until })
    redis.disconnect()
    return measure(settings, await door.ask<Arrival[]>('arrivals', [name]), trips ?? Number.NaN)
  }
  const rounds = Array.from({ length: settings.rounds }, (_, round) => round)
  const measured = await Promise.all(
    contenders.map((contender) => Promise.all(rounds.map((round) => run(contender, round)))),
  )
  await door.stop()
  return section(settings, measured)
}

function measure(settings: Settings, arrivals: readonly Arrival[], trips: number): Measured {
  const { limit, windowMs } = settings.long
  const times = arrivals.map(({ at }) => at).sort((a, b) => a - b)
  const start = times[0] ?? 0
  const second = times.filter((at) => at >= start + windowMs && at < start + 2 * windowMs)
  return {
    calls: times.length,
    worst: windowsOf(settings).map((window) => worstCount(times, window.windowMs)),
    used: second.length / limit,
    first: ((times[limit - 1] ?? Number.NaN) - start) / 1000,
    tripsPerCall: trips / times.length,
  }
}

interface Column {
  head: string
  of: (round: Measured) => number
  digits: number
  /** What stands for NaN. */
  none?: string
}

function columnsFor(settings: Settings): Column[] {
  const { limit, windowMs } = settings.long
  return [
    ...windowsOf(settings).map((window, index) => ({
      head: `worst ${window.windowMs / 1000} s`,
      of: ({ worst }: Measured) => worst[index] ?? Number.NaN,
      digits: 0,
    })),
    { head: `${windowMs / 1000} s used, %`, of: ({ used }) => 100 * used, digits: 0 },
    { head: `first ${limit} within, s`, of: ({ first }) => first, digits: 1, none: 'never' },
    { head: 'Redis commands per call', of: ({ tripsPerCall }) => tripsPerCall, digits: 2 },
  ]
}

function cell({ of, digits, none = '' }: Column, rounds: readonly Measured[]): string {
  const values = rounds.map(of)
  return values.some(Number.isNaN) ? none : spread(values, digits)
}

/** `measured`: for each contender its rounds. */
function section(settings: Settings, measured: readonly Measured[][]): Section {
  const { short, long } = settings
  const columns = columnsFor(settings)
  const we = measured[0] ?? []
  const worst = (index: number) => Math.max(...we.map((round) => round.worst[index] ?? Number.NaN))
  const used = Math.min(...we.map((round) => round.used))
  return {
    title: '(c) The same windows kept by other limiters, at a counting server, with jitter on the way',
    head: ['', ...columns.map(({ head }) => head)],
    rows: contenders.map(({ name }, index) => [name, ...columns.map((column) => cell(column, measured[index] ?? []))]),
    aims: [short, long]
      .map(({ limit, windowMs }, index) => ({
        what: `ours: at most ${limit} in any ${windowMs / 1000} s of any round`,
        figure: String(worst(index)),
        met: worst(index) <= limit,
      }))
      .concat({
        what: 'ours: the whole long window used',
        figure: `${Math.round(100 * used)} % in the worst round`,
        met: used >= 0.97,
      }),
    notes: [
      'All five run at once, and all rounds of them, each with calls of its own under its own name and a database of Redis for each round: one call, and 0.9 s later a backlog without end, as after a quiet spell. A call takes 5–150 ms to the door, one in a hundred 400 ms more, and as long back. “Used” counts the arrivals of the second long window after the first arrival. BullMQ has one window, so its minute is whatever the second allows. GCRA is set to a burst and a rate that together keep both windows at the moment of the grant; the sliding log is exact at the moment of the grant.',
    ],
    gates: [short, long].map(({ limit, windowMs }, index) => ({
      what: `jitter on the way: the fullest ${windowMs / 1000} s against its limit`,
      ratio: worst(index) / limit,
      most: 1,
    })),
  }
}
