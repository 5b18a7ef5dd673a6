import type { VendorAdapter, VendorAnswer, VendorCall, VendorFailure } from '../flow/vendor/adapter.js'
import type { Terms } from './options.js'
import { complaintAbout, type WatchedVerb } from './shapes.js'

export interface SeenCall {
  verb: WatchedVerb
  ms: number
  answer: VendorAnswer<unknown>
}

/** The verbs as the checks call them. */
export type Watched = { [V in WatchedVerb]: (...given: WatchedArguments<V>) => Promise<VendorAnswer<WatchedValue<V>>> }

type Verb<V extends WatchedVerb> = NonNullable<VendorAdapter[V]>
type WithoutCall<A> = A extends [...infer Given, VendorCall] ? Given : never
type WatchedArguments<V extends WatchedVerb> = WithoutCall<Parameters<Verb<V>>>
type WatchedValue<V extends WatchedVerb> = Awaited<ReturnType<Verb<V>>> extends VendorAnswer<infer T> ? T : never

export interface Watch {
  vendor: Watched
  calls: readonly SeenCall[]
  /** What an adapter answered or did that no caller can read. */
  broken: readonly string[]
}

const mostTries = 20
const longestWaitMs = 60_000

/**
 * Calls an adapter as bgc-bridge would: each call ends within its time, nothing is thrown, 429 and the 409 of a placing
 * that is still running are waited out. Notes every call.
 */
export function watch(adapter: VendorAdapter, terms: Terms, scrub: (text: string) => string): Watch {
  const calls: SeenCall[] = []
  const broken: string[] = []
  const once = async (verb: WatchedVerb, given: readonly unknown[]): Promise<VendorAnswer<unknown>> => {
    const begun = performance.now()
    const answer = await ask(adapter, verb, given, terms.timeoutMs)
    const complaint = 'threw' in answer ? answer.threw : complaintAbout(verb, answer.answered)
    if (complaint !== null) broken.push(`${verb} ${complaint}`)
    const failure: VendorFailure = { kind: 'retry', message: `${verb} ${complaint}`, ambiguous: true }
    // The shape was looked at: an answer without a complaint is one.
    const read = complaint !== null || 'threw' in answer ? failure : (answer.answered as VendorAnswer<unknown>)
    const kept = read.kind === 'ok' ? read : { ...read, message: scrub(read.message) }
    calls.push({ verb, ms: performance.now() - begun, answer: kept })
    return kept
  }
  const patiently = async (verb: WatchedVerb, given: readonly unknown[]) => {
    for (let tries = 1; ; tries += 1) {
      const answer = await once(verb, given)
      const waitMs = waitAfter(verb, answer)
      if (waitMs === null || tries >= mostTries || terms.isOver()) return answer
      await terms.pause(Math.min(waitMs, longestWaitMs))
    }
  }
  // Each verb takes and gives what the adapter's does; `once` looked at the shape.
  const verb =
    (name: WatchedVerb) =>
    (...given: unknown[]) =>
      patiently(name, given)
  const vendor = {
    capabilities: verb('capabilities'),
    bindAccount: verb('bindAccount'),
    placeOrder: verb('placeOrder'),
    findOrder: verb('findOrder'),
    getOrder: verb('getOrder'),
    getOrders: verb('getOrders'),
    changes: verb('changes'),
    agreements: verb('agreements'),
    cancelOrder: verb('cancelOrder'),
  } as Watched
  return { vendor, calls, broken }
}

/** How long a caller waits before the same call again; null where it does not come again at once. */
function waitAfter(verb: WatchedVerb, answer: VendorAnswer<unknown>): number | null {
  if (answer.kind !== 'retry') return null
  if (answer.status === 429) return answer.retryAfterMs ?? 1000
  return verb === 'placeOrder' && answer.status === 409 ? (answer.retryAfterMs ?? 250) : null
}

type Asked = { answered: unknown } | { threw: string }

async function ask(
  adapter: VendorAdapter,
  verb: WatchedVerb,
  given: readonly unknown[],
  timeoutMs: number,
): Promise<Asked> {
  const own: unknown = adapter[verb]
  if (typeof own !== 'function') return { threw: 'is not there' }
  const clock = new AbortController()
  let timer: NodeJS.Timeout | undefined
  // Twice: the adapter has a timeout of its own, and its answer says more than ours.
  const late = new Promise<Asked>((resolve) => {
    timer = setTimeout(() => {
      clock.abort()
      resolve({ threw: `gave no answer within ${timeoutMs * 2} ms` })
    }, timeoutMs * 2)
  })
  // Called as the adapter's own: it may be an object with a state.
  const asked = async (): Promise<Asked> => {
    try {
      const answered: unknown = await Reflect.apply(own, adapter, [...given, { signal: clock.signal }])
      return { answered }
    } catch (thrown) {
      // Its message may quote anything.
      return { threw: `threw ${thrown instanceof Error ? thrown.name : typeof thrown}` }
    }
  }
  try {
    return await Promise.race([asked(), late])
  } finally {
    clearTimeout(timer)
  }
}
