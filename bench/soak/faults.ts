import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '../../src/sandbox/support/random.js'
import { type FaultName, faultsOf, makeFault } from '../../test/faults/kit/catalogue.js'
import { type LivedFault, liveOne } from '../../test/faults/kit/live-one.js'
import { type Mode, shuffled } from '../../test/faults/kit/plan.js'
import type { Settings } from './settings.js'
import type { SoakWorld } from './world.js'

/** These come first, since a short form does not come through all. */
const core: readonly FaultName[] = [
  'process killed',
  'process paused',
  'redis emptied',
  'redis restarted',
  'postgres restarted',
  'own postgres killed',
  'feishu link broken',
  'vendor link torn',
  'webhook link broken',
  'postgres link broken',
  'redis link silent',
]
/** A clock stays where it was set, a standby is there once, and a disk of its own is too small for hours. */
const leftOut: readonly FaultName[] = ['clock set forward', 'clock set back', 'postgres fails over', 'disk full']

const leastLastsMs = 1000
const mostLastsMs = 10_000
/** It ends by then, also when nobody complained: a store that is back at once is hardly missed. */
const feltWithinMs = 5000
/** The end of the load stays free of faults: it shows whether everything is as at the beginning. */
const freeAtTheEnd = 0.15

/** The faults of a whole soak: `gapMs` from the end of one to the next. */
export interface Deal {
  next(): { name: FaultName; lastsMs: number; afterMs: number; choice: number }
}

/** Every fault once, those of the core first, and then again in another order. */
export function dealFaults(mode: Mode, seed: number, gapMs: number): Deal {
  const random = seededRandom(seed + 7)
  const all = faultsOf(mode).filter((name) => !leftOut.includes(name))
  let deck: FaultName[] = []
  const shuffle = () => {
    const order = shuffled(all, random)
    return [...order.filter((name) => core.includes(name)), ...order.filter((name) => !core.includes(name))]
  }
  return {
    next: () => {
      if (deck.length === 0) deck = shuffle()
      const name = deck.shift()
      if (name === undefined) throw new Error('no faults')
      // Most are short.
      const lastsMs = Math.round(leastLastsMs + random() ** 2 * (mostLastsMs - leastLastsMs))
      return { name, lastsMs, afterMs: Math.round(gapMs * (0.7 + 0.6 * random())), choice: random() }
    },
  }
}

export function gapFor(lastsMs: number): number {
  return Math.min(40_000, Math.max(8000, lastsMs / 18))
}

/** Faults until the load is nearly over; `now` is told what is under way. */
export async function liveThrough(
  world: SoakWorld,
  settings: Settings,
  lived: LivedFault[],
  now: (name: string) => void,
): Promise<void> {
  const until = performance.now() + settings.lastsMs * (1 - freeAtTheEnd)
  const deal = dealFaults(settings.mode, settings.seed, gapFor(settings.lastsMs))
  for (;;) {
    const planned = deal.next()
    if (performance.now() + planned.afterMs + planned.lastsMs > until) return
    await sleep(planned.afterMs)
    for (const each of world.processes) each.forgetLines()
    now(planned.name)
    lived.push(await liveOne(makeFault(world, planned), planned, feltWithinMs))
    now('')
  }
}
