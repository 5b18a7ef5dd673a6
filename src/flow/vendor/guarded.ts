import type { VendorAdapter, VendorAnswer, VendorCall, VendorFailure } from './adapter.js'
import type { Breaker } from './breaker.js'
import { createSemaphore, type Semaphore } from './semaphore.js'

export type VendorVerb = Exclude<keyof VendorAdapter, 'stop'>

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
  onCall?: (report: VendorCallReport) => void
}

type Guard = <T>(verb: VendorVerb, call: VendorCall, ask: () => Promise<VendorAnswer<T>>) => Promise<VendorAnswer<T>>

/** Puts the breaker and the concurrency limit before every verb. A call that is held was not made. */
export function guardVendor(adapter: VendorAdapter, settings: GuardSettings): VendorAdapter {
  const guard = createGuard(settings, createSemaphore(settings.concurrency))
  return {
    capabilities: (call) => guard('capabilities', call, () => adapter.capabilities(call)),
    bindAccount: (account, call) => guard('bindAccount', call, () => adapter.bindAccount(account, call)),
    placeOrder: (order, call) => guard('placeOrder', call, () => adapter.placeOrder(order, call)),
    findOrder: (id, call) => guard('findOrder', call, () => adapter.findOrder(id, call)),
    getOrder: (id, call) => guard('getOrder', call, () => adapter.getOrder(id, call)),
    cancelOrder: (id, reason, call) => guard('cancelOrder', call, () => adapter.cancelOrder(id, reason, call)),
    ...optionalVerbs(adapter, guard),
    stop: async () => adapter.stop?.(),
  }
}

type OptionalVerbs = Pick<VendorAdapter, 'getOrders' | 'changes' | 'agreements'>

function optionalVerbs(adapter: VendorAdapter, guard: Guard): OptionalVerbs {
  const getOrders = adapter.getOrders?.bind(adapter)
  const changes = adapter.changes?.bind(adapter)
  const agreements = adapter.agreements?.bind(adapter)
  const verbs: OptionalVerbs = {}
  if (getOrders) verbs.getOrders = (ids, call) => guard('getOrders', call, () => getOrders(ids, call))
  if (changes) verbs.changes = (cursor, limit, call) => guard('changes', call, () => changes(cursor, limit, call))
  if (agreements) verbs.agreements = (cursor, call) => guard('agreements', call, () => agreements(cursor, call))
  return verbs
}

function createGuard({ breaker, onCall }: GuardSettings, places: Semaphore): Guard {
  return async (verb, call, ask) => {
    const leave = await places.take(call.signal)
    if (leave === null) return held('the process is stopping')
    try {
      // Asked for after the wait, so that a probe is on its way as soon as it is admitted.
      const admission = breaker.admit()
      if (!admission.admitted) return heldBy(breaker, admission.retryInMs)
      const report = await measure(verb, ask)
      tell(breaker, report.answer, call.signal)
      onCall?.(report)
      return report.answer
    } finally {
      leave()
    }
  }
}

function heldBy(breaker: Breaker, retryAfterMs: number): VendorFailure {
  const { lastError } = breaker.look()
  return { ...held(lastError ?? 'it failed too often'), retryAfterMs }
}

function held(reason: string): VendorFailure & { kind: 'retry' } {
  return { kind: 'retry', message: `the vendor is not being called: ${reason}`, ambiguous: false, held: true }
}

async function measure<T>(verb: VendorVerb, ask: () => Promise<VendorAnswer<T>>) {
  const start = performance.now()
  try {
    const answer = await ask()
    return { verb, answer, durationMs: performance.now() - start }
  } catch (thrown) {
    return { verb, answer: broken(verb), durationMs: performance.now() - start, thrown }
  }
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
