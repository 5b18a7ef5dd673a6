import type { Switches } from '../../../src/sandbox/index.js'
import { seededRandom } from '../../../src/sandbox/support/random.js'
import { type FaultName, faultsOf } from './catalogue.js'

/** `one process`: with the PostgreSQL that it brings along. `redis`: two processes that share PostgreSQL and Redis. */
export type Mode = 'one process' | 'redis'
export const modes: readonly Mode[] = ['one process', 'redis']

/** What happens to one check. The vendor's steps come by themselves; ms after the one before. */
export interface OrderPlan {
  customer: number
  stages: number
  stepMs: number
  end: 'completed' | 'vendor stops'
  /** The customer stops it so many ms after it was ordered; `at once`: the event of the cancel comes first. */
  cancelAfterMs: number | 'at once' | null
  /** So many copies of each event come at once. */
  copies: number
}

export interface PlannedFault {
  name: FaultName
  lastsMs: number
  /** Begins so many ms after the one before has ended; below 0, while it still lasts. */
  afterMs: number
  /** Which process, link or clock step, where there is a choice. */
  choice: number
}

export interface RunPlan {
  seed: number
  mode: Mode
  faults: PlannedFault[]
  /** Checks are ordered so many ms apart for as long as faults come, and at least `leastOrders`. */
  everyMs: number
  leastOrders: number
  /** See `Length`; true when it is not said. */
  crossing?: boolean
  switches: Partial<Switches>
  vendorOffers: { batch: boolean; changes: boolean }
}

export interface Length {
  faults: number
  leastMs: number
  mostMs: number
  /** Faults may come while others last. */
  overlap: boolean
  leastOrders: number
  /** Customers also stop checks that are on their way to the vendor: one of which nobody heard again is looked for for a minute. */
  crossing: boolean
}

export const short: Length = {
  faults: 5,
  leastMs: 500,
  mostMs: 1500,
  overlap: false,
  leastOrders: 8,
  crossing: false,
}
export const shorter: Length = { ...short, faults: 3 }
export const long: Length = {
  faults: 14,
  leastMs: 1000,
  mostMs: 30_000,
  overlap: true,
  leastOrders: 12,
  crossing: true,
}

/** The same seed gives the same plan; what the machine makes of it differs a little each time. */
export function planOf(
  seed: number,
  mode: Mode,
  length: Length,
  { only, leaveOut = [] }: { only?: readonly FaultName[]; leaveOut?: readonly FaultName[] } = {},
): RunPlan {
  const random = seededRandom(seed)
  const deck = (only ?? shuffled(faultsOf(mode), random)).filter((name) => !leaveOut.includes(name))
  const faults = deck.slice(0, length.faults).map((name): PlannedFault => {
    // Most are short: many short outages show more than one long one.
    const part = random() ** 3
    return {
      name,
      lastsMs: Math.round(length.leastMs + part * (length.mostMs - length.leastMs)),
      afterMs: length.overlap && random() < 0.3 ? -300 : Math.round(100 + random() * 400),
      choice: random(),
    }
  })
  return {
    seed,
    mode,
    faults,
    everyMs: 500,
    leastOrders: length.leastOrders,
    crossing: length.crossing,
    switches: {
      orderReads: random() < 0.5,
      duplicateStage: pick(random, ['refuse_1002001_400', 'refuse_1002858', 'accept_silently']),
      cancelEcho: random() < 0.5,
      resignRedeliveries: random() < 0.5,
      repeatAcknowledged: random() < 0.5,
    },
    vendorOffers: { batch: random() < 0.5, changes: random() < 0.5 },
  }
}

export function orderPlan(seed: number, index: number): OrderPlan {
  const random = seededRandom(seed * 1009 + index)
  const cancels = random()
  return {
    customer: index % 3,
    stages: Math.floor(random() * 4),
    stepMs: Math.round(50 + random() * 700),
    end: random() < 0.8 ? 'completed' : 'vendor stops',
    cancelAfterMs: cancels < 0.08 ? 'at once' : cancels < 0.2 ? Math.round(random() * 1500) : null,
    copies: 1 + Math.floor(random() * 3),
  }
}

function pick<T>(random: () => number, choices: readonly T[]): T {
  const chosen = choices[Math.floor(random() * choices.length)]
  if (chosen === undefined) throw new Error('nothing to choose from')
  return chosen
}

export function shuffled<T>(all: readonly T[], random: () => number): T[] {
  return all
    .map((each) => ({ each, place: random() }))
    .sort((one, other) => one.place - other.place)
    .map(({ each }) => each)
}
