import type { VendorAdapter, VendorAnswer, VendorFailure } from '../../src/flow/vendor/adapter.js'

export interface MadeCall {
  verb: string
  /** The check, the account or the vendor's order. */
  about: string
  detail?: unknown
}

type Step = (call: MadeCall) => Promise<VendorAnswer<unknown>> | VendorAnswer<unknown>

export interface ScriptedVendor extends VendorAdapter {
  calls: MadeCall[]
  verbs(): string[]
  /** The answers of a verb, one after the other; the last one stays. */
  script(verb: string, ...steps: Array<Step | VendorAnswer<unknown>>): void
}

export const ok = <T>(value: T): VendorAnswer<T> => ({ kind: 'ok', value })
export const lost: VendorFailure = { kind: 'retry', message: 'no answer', ambiguous: true, retryAfterMs: 0 }
export const refusedNow: VendorFailure = { kind: 'retry', message: 'later', ambiguous: false, retryAfterMs: 0 }
export const held = { kind: 'retry', message: 'not called', ambiguous: false, held: true, retryAfterMs: 0 } as const
export const final: VendorFailure = { kind: 'final', message: 'POST /orders answered 422' }
export const misconfigured: VendorFailure = { kind: 'misconfigured', message: 'the key is not accepted' }

/** An adapter that answers by script and notes what it was asked. */
export function scriptedVendor(): ScriptedVendor {
  const calls: MadeCall[] = []
  const scripts = new Map<string, Array<Step | VendorAnswer<unknown>>>()
  const answer = async <T>(call: MadeCall): Promise<VendorAnswer<T>> => {
    calls.push(call)
    const steps = scripts.get(call.verb) ?? []
    const step = steps.length > 1 ? steps.shift() : steps[0]
    if (step === undefined) throw new Error(`nobody expected ${call.verb}`)
    return (typeof step === 'function' ? await step(call) : step) as VendorAnswer<T>
  }
  return {
    calls,
    verbs: () => calls.map((call) => call.verb),
    script: (verb, ...steps) => {
      scripts.set(verb, steps)
    },
    capabilities: async () => ok({ batch: false, changes: false, tripartite: false }),
    bindAccount: (account) => answer({ verb: 'bind', about: account.accountId, detail: account }),
    placeOrder: (order) => answer({ verb: 'place', about: order.backgroundCheckId, detail: order }),
    findOrder: (id) => answer({ verb: 'find', about: id }),
    getOrder: (id) => answer({ verb: 'get', about: id }),
    cancelOrder: (id, reason) => answer({ verb: 'cancel', about: id, detail: reason }),
  }
}
