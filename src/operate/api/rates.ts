import type { ApiKey } from '../../config.js'
import type { Found } from './find-route.js'
import { type Problem, problem } from './problems.js'

/** So many requests of one API key in each window, counted by each process for itself. */
export interface Rate {
  quota: number
  windowMs: number
}

/**
 * A list of 200 twenty times a second is more than a person or a script needs. Notices of the vendor are counted apart
 * and may come by the thousand: they cost one small transaction each, and several about one order make one poll.
 */
export const usualRates = {
  requests: { quota: 1200, windowMs: 60_000 },
  notices: { quota: 60_000, windowMs: 60_000 },
} as const satisfies Record<string, Rate>

export type Rates = Readonly<Record<keyof typeof usualRates, Rate>>

export interface Counted {
  /** `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10). */
  headers: Record<string, string>
  /** When the quota is used up. */
  refusal?: Problem
}

/** Counts the requests of each key: by the name of the key, so there are as many counters as keys are configured. */
export function createRates(rates: Rates, now = () => performance.now()) {
  const windows = new Map<string, { endsAt: number; used: number }>()
  return (key: ApiKey, found: Found): Counted => {
    const name = policyOf(found)
    const { quota, windowMs } = rates[name]
    const counter = `${name} ${key.name}`
    const running = windows.get(counter)
    const window = running === undefined || running.endsAt <= now() ? { endsAt: now() + windowMs, used: 0 } : running
    windows.set(counter, window)
    window.used += 1
    const seconds = Math.max(1, Math.ceil((window.endsAt - now()) / 1000))
    const headers = {
      'RateLimit-Policy': `"${name}";q=${quota};w=${Math.ceil(windowMs / 1000)}`,
      RateLimit: `"${name}";r=${Math.max(0, quota - window.used)};t=${seconds}`,
    }
    return window.used > quota ? { headers, refusal: tooMany(key, seconds) } : { headers }
  }
}

function policyOf(found: Found): keyof Rates {
  return found.kind === 'route' && found.route.scopes.includes('notify') ? 'notices' : 'requests'
}

function tooMany(key: ApiKey, seconds: number): Problem {
  const headers = { 'Retry-After': String(seconds) }
  return problem('too-many-requests', `the key ${key.name} has used up its requests for now`, { headers })
}
