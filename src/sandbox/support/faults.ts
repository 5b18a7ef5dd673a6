import { sleep } from './clock.js'
import { seededRandom } from './random.js'

/**
 * What goes wrong. `apply` says whether the call takes effect first: a lost answer is `{ kind: 'reset', apply: true }`.
 * `hang` never answers; `reset` breaks the connection; `garbage` answers 200 with something that is not JSON.
 */
export type FaultAction =
  | {
      kind: 'answer'
      httpStatus: number
      code?: number
      msg?: string
      headers?: Record<string, string>
      apply?: boolean
    }
  | { kind: 'hang'; apply?: boolean }
  | { kind: 'reset'; apply?: boolean }
  | { kind: 'garbage'; apply?: boolean }
  /** Works as it should, `ms` later. */
  | { kind: 'slow'; ms: number }
  /** Works as it should, after `until` has settled. Not over HTTP. */
  | { kind: 'held'; until: Promise<unknown> }
  /** HTTP 500 with code 1002001. */
  | { kind: 'server_error'; apply?: boolean }
  /** Feishu only: 99991663, although the token is alive. */
  | { kind: 'token_expired' }
  /** HTTP 429 that asks to wait; `resetSeconds` travels as it is written, so that it may be a fraction or nonsense. */
  | { kind: 'rate_limited'; resetSeconds?: number | string }

/** Faults of calls that work as they should in the end. */
export type Late = Extract<FaultAction, { kind: 'slow' | 'held' }>

export function isLate(action: FaultAction): action is Late {
  return action.kind === 'slow' || action.kind === 'held'
}

export async function untilDue(action: Late): Promise<void> {
  if (action.kind === 'slow') await sleep(action.ms)
  else await action.until
}

/** A fault for the calls that have every property named in `match`; `times` calls of them, `always` without an end. */
export type Fault<Match> = { match?: Match; action: FaultAction; times?: number | 'always'; forMs?: number }
export type PlannedFault<Match> = Fault<Match> & { id: string; taken: number }
/** Chooses a fault for a call, or none; asked after the faults that were added one by one. */
export type FaultSource<Match> = (call: Match) => FaultAction | undefined

export class FaultPlan<Match extends Record<string, string | undefined>> {
  #planned: Array<PlannedFault<Match> & { until: number }> = []
  #source: FaultSource<Match> | undefined
  #count = 0

  /** Faults are taken in the order in which they were added. Answers an id for `clear`. */
  add(fault: Fault<Match>): string {
    const id = `fault-${++this.#count}`
    const until = fault.forMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + fault.forMs
    const times = fault.times ?? (fault.forMs === undefined ? 1 : 'always')
    this.#planned.push({ ...fault, times, id, taken: 0, until })
    return id
  }

  use(source: FaultSource<Match> | undefined): void {
    this.#source = source
  }

  /** Takes back one fault, or everything. */
  clear(id?: string): void {
    this.#planned = id === undefined ? [] : this.#planned.filter((fault) => fault.id !== id)
    if (id === undefined) this.#source = undefined
  }

  list(): PlannedFault<Match>[] {
    this.#planned = this.#planned.filter((fault) => !isOver(fault))
    return this.#planned.map(withoutUntil)
  }

  take(call: Match): FaultAction | undefined {
    const fault = this.#planned.find((one) => !isOver(one) && matches(one.match, call))
    if (!fault) return this.#source?.(call)
    fault.taken++
    return fault.action
  }
}

function withoutUntil<T extends { until: number }>(fault: T): Omit<T, 'until'> {
  const { until, ...rest } = fault
  void until
  return rest
}

function isOver(fault: { times?: number | 'always'; taken: number; until: number }): boolean {
  return Date.now() >= fault.until || (typeof fault.times === 'number' && fault.taken >= fault.times)
}

function matches(match: Record<string, string | undefined> | undefined, call: Record<string, string | undefined>) {
  return Object.entries(match ?? {}).every(([name, value]) => value === undefined || call[name] === value)
}

/** Likelihood of each fault, from 0 to 1; together at most 1. */
export type FaultRates = {
  reset?: number
  lostAnswer?: number
  hang?: number
  lostAnswerHang?: number
  serverError?: number
  serverErrorApplied?: number
  garbage?: number
  garbageApplied?: number
  slow?: number
  tokenExpired?: number
  rateLimited?: number
}

const actionOf: Record<keyof FaultRates, FaultAction> = {
  reset: { kind: 'reset' },
  lostAnswer: { kind: 'reset', apply: true },
  hang: { kind: 'hang' },
  lostAnswerHang: { kind: 'hang', apply: true },
  serverError: { kind: 'server_error' },
  serverErrorApplied: { kind: 'server_error', apply: true },
  garbage: { kind: 'garbage' },
  garbageApplied: { kind: 'garbage', apply: true },
  slow: { kind: 'slow', ms: 50 },
  tokenExpired: { kind: 'token_expired' },
  rateLimited: { kind: 'rate_limited', resetSeconds: 1 },
}

/** A plan of random faults that repeats itself for the same seed and the same sequence of calls. */
export function seededFaults<Match>(
  seed: number,
  rates: FaultRates,
  only?: (call: Match) => boolean,
): FaultSource<Match> {
  const total = Object.values(rates).reduce((sum, rate) => sum + rate, 0)
  if (total > 1) throw new Error(`the rates of seeded faults add up to ${total}; they may add up to 1`)
  const random = seededRandom(seed)
  return (call) => {
    if (only && !only(call)) return undefined
    let drawn = random()
    for (const [name, rate] of Object.entries(rates) as Array<[keyof FaultRates, number]>) {
      drawn -= rate
      if (drawn < 0) return actionOf[name]
    }
    return undefined
  }
}
