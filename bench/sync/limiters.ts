import { Redis } from 'ioredis'
import { worstCount } from '../../src/sandbox/support/windows.js'
import { startChild } from '../support/child.js'
import type { Section } from '../support/report.js'
import type { Stores } from '../support/stores.js'
import { bullmq, type Contender, flexibleUnion, gcra, ours, slidingLog } from './contenders.js'
import type { Arrival } from './door.js'
import { jitteringPost } from './post.js'
import { type Settings, windowsOf } from './settings.js'

interface Measured {
  name: string
  calls: number
  worst: number[]
  /** Calls that arrived in the second long window, as a share of its limit. */
  used: number
  /** Seconds until the first long window's worth had arrived. */
  first: number
  tripsPerCall: number
}

/** (c) The same windows kept by different limiters, at the same time, with the same jitter on the way to the door. */
export async function limiters(stores: Stores, settings: Settings): Promise<Section> {
  const door = await startChild('sync/door')
  const url = await door.ask<string>('url')
  const windows = windowsOf(settings)
  const until = performance.now() + settings.comparisonMs
  const contenders = [ours, bullmq, flexibleUnion, gcra, slidingLog]
  const run = async (contender: Contender): Promise<Measured> => {
    const redis = new Redis(stores.redisUrl)
    const post = jitteringPost(url, contender.name)
    const { trips } = await contender.run({ redis, redisUrl: stores.redisUrl, windows, post, until })
    redis.disconnect()
    const arrivals = await door.ask<Arrival[]>('arrivals', [contender.name])
    return measure(contender.name, settings, arrivals, trips ?? Number.NaN)
  }
  const measured = await Promise.all(contenders.map(run))
  await door.stop()
  return section(settings, measured)
}

function measure(name: string, settings: Settings, arrivals: readonly Arrival[], trips: number): Measured {
  const { limit, windowMs } = settings.long
  const times = arrivals.map(({ at }) => at).sort((a, b) => a - b)
  const start = times[0] ?? 0
  const second = times.filter((at) => at >= start + windowMs && at < start + 2 * windowMs)
  return {
    name,
    calls: times.length,
    worst: windowsOf(settings).map((window) => worstCount(times, window.windowMs)),
    used: second.length / limit,
    first: ((times[limit - 1] ?? Number.NaN) - start) / 1000,
    tripsPerCall: trips / times.length,
  }
}

function section(settings: Settings, measured: readonly Measured[]): Section {
  const { short, long } = settings
  const [we] = measured
  const share = (value: number) => `${Math.round(100 * value)} %`
  return {
    title: '(c) The same windows kept by other limiters, at a counting server, with jitter on the way',
    head: [
      '',
      `worst ${short.windowMs / 1000} s`,
      `worst ${long.windowMs / 1000} s`,
      `${long.windowMs / 1000} s used`,
      `first ${long.limit} within`,
      'Redis commands per call',
    ],
    rows: measured.map(({ name, worst, used, first, tripsPerCall }) => [
      name,
      ...worst.map(String),
      share(used),
      Number.isNaN(first) ? 'never' : `${first.toFixed(1)} s`,
      Number.isNaN(tripsPerCall) ? '' : tripsPerCall.toFixed(2),
    ]),
    aims: [short, long]
      .map(({ limit, windowMs }, index) => {
        const worst = we?.worst[index] ?? Number.NaN
        return {
          what: `ours: at most ${limit} in any ${windowMs / 1000} s`,
          figure: String(worst),
          met: worst <= limit,
        }
      })
      .concat({
        what: 'ours: the whole long window used',
        figure: share(we?.used ?? 0),
        met: (we?.used ?? 0) >= 0.97,
      }),
    notes: [
      'All five run at once, each with calls of its own under its own name: one call, and 0.9 s later a backlog without end, as after a quiet spell. A call takes 5–150 ms to the door, one in a hundred 400 ms more, and as long back. “Used” counts the arrivals of the second long window after the first arrival. BullMQ has one window, so its minute is whatever the second allows. GCRA is set to a burst and a rate that together keep both windows at the moment of the grant; the sliding log is exact at the moment of the grant.',
    ],
    gates: [short, long].map(({ limit, windowMs }, index) => ({
      what: `jitter on the way: the fullest ${windowMs / 1000} s against its limit`,
      ratio: (we?.worst[index] ?? Number.NaN) / limit,
      most: 1,
    })),
  }
}
