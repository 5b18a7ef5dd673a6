import { failSpan, inSpan, isTracing } from '../../platform/tracing/spans.js'
import type { VendorAdapter, VendorAnswer, VendorCall, VendorFailure } from './adapter.js'
import type { Breaker } from './breaker.js'
import { createSemaphore, type Urgency } from './semaphore.js'
import { type Turn, type Turns, waitForTurn } from './turns.js'
import { noWindows, type VendorWindows } from './windows.js'

/** `openReport` is not guarded: a file's host is another system than the vendor's, and streams have limits of their own. */
export type VendorVerb = Exclude<keyof VendorAdapter, 'stop' | 'openReport'>

/** One call that was made, for logs and metrics; held ones are not reported. */
export interface VendorCallReport {
  verb: VendorVerb
  durationMs: number
  answer: VendorAnswer<unknown>
  /** What a broken adapter threw. */
  thrown?: unknown
}

export interface GuardSettings {
  breaker: Breaker
  /** Calls in flight for this process. */
  concurrency: number
  /** Those of VENDOR_RATE_LIMITS; none when left out. */
  windows?: VendorWindows
  /** Longest wait for a place and the windows, in ms. */
  waitMs?: number
  onCall?: (report: VendorCallReport) => void
  /** The vendor asked all calls to rest. */
  onPause?: (ms: number) => void
}

type Ask<T> = (call: VendorCall) => Promise<VendorAnswer<T>>
type Guard = <T>(verb: VendorVerb, call: VendorCall, ask: Ask<T>) => Promise<VendorAnswer<T>>

/** What somebody waits for, and what happens once: polls and feeds come again by themselves. */
const urgent: ReadonlySet<VendorVerb> = new Set(['bindAccount', 'placeOrder', 'findOrder', 'cancelOrder'])
const longestWaitMs = 5000
const longestRestMs = 3_600_000

/** Puts the breaker, the concurrency limit and the windows before every verb. A call that is held was not made. */
export function guardVendor(adapter: VendorAdapter, settings: GuardSettings): VendorAdapter {
  const { breaker, concurrency, windows = noWindows(), waitMs = longestWaitMs } = settings
  const guard = createGuard(settings, { breaker, places: createSemaphore(concurrency), windows, waitMs })
  return {
    capabilities: (call) => guard('capabilities', call, (turn) => adapter.capabilities(turn)),
    bindAccount: (account, call) => guard('bindAccount', call, (turn) => adapter.bindAccount(account, turn)),
    placeOrder: (order, call) => guard('placeOrder', call, (turn) => adapter.placeOrder(order, turn)),
    findOrder: (id, call) => guard('findOrder', call, (turn) => adapter.findOrder(id, turn)),
    getOrder: (id, call) => guard('getOrder', call, (turn) => adapter.getOrder(id, turn)),
    cancelOrder: (id, reason, call) => guard('cancelOrder', call, (turn) => adapter.cancelOrder(id, reason, turn)),
    ...optionalVerbs(adapter, guard),
    stop: async () => adapter.stop?.(),
  }
}

type OptionalVerbs = Pick<VendorAdapter, 'getOrders' | 'changes' | 'agreements' | 'openReport'>

function optionalVerbs(adapter: VendorAdapter, guard: Guard): OptionalVerbs {
  const getOrders = adapter.getOrders?.bind(adapter)
  const changes = adapter.changes?.bind(adapter)
  const agreements = adapter.agreements?.bind(adapter)
  const verbs: OptionalVerbs = {}
  if (getOrders) verbs.getOrders = (ids, call) => guard('getOrders', call, (turn) => getOrders(ids, turn))
  if (changes) verbs.changes = (cursor, limit, call) => guard('changes', call, (turn) => changes(cursor, limit, turn))
  if (agreements) verbs.agreements = (cursor, call) => guard('agreements', call, (turn) => agreements(cursor, turn))
  if (adapter.openReport) verbs.openReport = adapter.openReport.bind(adapter)
  return verbs
}

function createGuard({ breaker, onCall, onPause }: GuardSettings, turns: Turns): Guard {
  return async (verb, call, ask) => {
    const urgency: Urgency = urgent.has(verb) ? 'urgent' : 'ordinary'
    const turn = await waitForTurn(turns, call, urgency)
    if ('kind' in turn) return turn
    try {
      const asking = () => ask({ signal: call.signal, turn: turnsOf(turn) })
      const report = await (isTracing() ? measureTraced(verb, asking) : measure(verb, asking))
      const { answer } = report
      // Held between two requests of one verb: that says nothing about the vendor.
      if (answer.kind === 'retry' && answer.held === true) return answer
      tell(breaker, answer, call.signal)
      await pause(turns.windows, answer, onPause)
      onCall?.(report)
      return answer
    } finally {
      await turn.end(true)
    }
  }
}

/** The turn that was waited for is the first request's. */
function turnsOf(turn: Turn): NonNullable<VendorCall['turn']> {
  let first = true
  return async () => {
    if (!first) return turn.again()
    first = false
    return null
  }
}

/** Who answers 429 and says until when means all calls; any other status says no more than that of its own. */
async function pause(
  windows: VendorWindows,
  answer: VendorAnswer<unknown>,
  onPause: GuardSettings['onPause'],
): Promise<void> {
  if (answer.kind !== 'retry' || answer.status !== 429 || !answer.retryAfterMs) return
  onPause?.(answer.retryAfterMs)
  await windows.close(answer.retryAfterMs)
}

/** As a part of what goes on; calls for many orders at once, such as polls, belong to no trace. */
function measureTraced<T>(verb: VendorVerb, ask: () => Promise<VendorAnswer<T>>) {
  return inSpan(`vendor ${verb}`, { kind: 'client' }, async (span) => {
    const report = await measure(verb, ask)
    const { answer } = report
    const status = answer.kind === 'ok' ? undefined : answer.status
    if (status !== undefined) span.setAttribute('http.response.status_code', status)
    if (answer.kind !== 'ok') failSpan(span, answer.kind)
    return report
  })
}

async function measure<T>(verb: VendorVerb, ask: () => Promise<VendorAnswer<T>>) {
  const start = performance.now()
  try {
    const answer = bounded(await ask())
    return { verb, answer, durationMs: performance.now() - start }
  } catch (thrown) {
    return { verb, answer: broken(verb), durationMs: performance.now() - start, thrown }
  }
}

/**
 * An own adapter may take seconds for milliseconds, or a date for a duration: that must not end calls for years. What is no
 * duration at all, as JavaScript may say, is left out.
 */
function bounded<T>(answer: VendorAnswer<T>): VendorAnswer<T> {
  if (answer.kind !== 'retry') return answer
  const { retryAfterMs, ...failure } = answer
  const isDuration = typeof retryAfterMs === 'number' && retryAfterMs >= 0
  return isDuration ? { ...failure, retryAfterMs: Math.min(retryAfterMs, longestRestMs) } : failure
}

/** What it threw may quote the candidate, so the message keeps to the verb. */
function broken(verb: VendorVerb): VendorFailure {
  return { kind: 'retry', message: `the adapter threw in ${verb}`, ambiguous: true }
}

function tell(breaker: Breaker, answer: VendorAnswer<unknown>, signal: AbortSignal): void {
  if (answer.kind === 'misconfigured') breaker.failed('misconfigured', answer.message)
  else if (answer.kind !== 'retry' || isAlive(answer.status)) breaker.succeeded()
  else if (!signal.aborted) breaker.failed('retry', answer.message)
}

/** A vendor that refuses a call, or describes one order wrongly, can be called for the others. */
function isAlive(status: number | undefined): boolean {
  return status !== undefined && status < 500 && status !== 408 && status !== 429
}
