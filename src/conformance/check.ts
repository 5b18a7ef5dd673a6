import type { Capabilities } from '../flow/vendor/adapter.js'
import type { Ground } from './ground.js'
import { type CheckOutcome, type Had, skipped } from './result.js'
import type { Wire } from './wire.js'

export interface Check {
  name: string
  /** A claim about the vendor; docs/vendor-check.md has the same words. */
  about: string
  /** An anchor of docs/vendor-api.md. */
  see: string
  run(ground: Ground): Promise<CheckOutcome>
}

/** The verb behind each capability. */
export const optionalVerbs = { batch: 'getOrders', changes: 'changes', tripartite: 'agreements' } as const

type Run<T> = (value: T, ground: Ground) => Promise<CheckOutcome> | CheckOutcome

/** For what only the wire shows. */
export function overHttp(run: Run<Wire>): Check['run'] {
  return async (ground) =>
    ground.wire === null ? skipped('only the http adapter has a wire') : run(ground.wire, ground)
}

/** For what the vendor need not have. */
export function ifOffered(
  capability: keyof Capabilities,
  run: (ground: Ground) => Promise<CheckOutcome>,
): Check['run'] {
  return async (ground) => {
    const known = await ground.capabilities()
    if (known.kind === 'missing') return known.outcome
    if (!known.value[capability]) return skipped(`capabilities does not offer ${capability}`)
    const isThere = typeof ground.adapter[optionalVerbs[capability]] === 'function'
    return isThere ? run(ground) : skipped('the adapter lacks the verb; see capabilities')
  }
}

/** For what stands on a value that another check may have failed to get. */
export function having<T>(get: (ground: Ground) => Promise<Had<T>>, run: Run<T>): Check['run'] {
  return async (ground) => {
    const value = await get(ground)
    return value.kind === 'missing' ? value.outcome : run(value.value, ground)
  }
}
