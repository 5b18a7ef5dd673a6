import type { Claim } from '../outbox/claim.js'
import type { Settlement } from '../outbox/settlement.js'
import { type Decision, maxAgeOf, type RetryTerms } from './decide.js'
import type { Seen } from './look-up.js'
import { backoffCeilingMs } from './retry.js'

/** An attempt whose outcome is not known is looked for before it is repeated. */
export function lookFirst(decision: Decision, inMs: number): Decision {
  const { settled } = decision
  return settled.to === 'pending' && settled.ambiguous ? { ...decision, settled: { ...settled, inMs } } : decision
}

const laterMs = 2000

/** What the meaning of a look depends on. */
export type Looking = Pick<Claim, 'looks' | 'unanswered' | 'ageMs' | 'othersWait'>

/**
 * What a look means for a delivery. Pure. Only looks that were answered lead to a resend; an unanswered look is repeated
 * with backoff until the delivery is too old, and one that got no slot was none: it comes again soon.
 */
export function afterLook(
  seen: Seen,
  claim: Looking,
  afterMs: readonly number[],
  terms: RetryTerms,
): Pick<Settlement, 'lastError'> & Decision['settled'] {
  const { looks } = claim
  if (seen === 'found') return { to: 'delivered', confirmed: true, heldForApproval: false, lastError: null }
  const reason = 'no readable answer came; Feishu is asked whether it took effect'
  const pending = { to: 'pending', attempt: 0, ambiguous: false } as const
  if (seen === 'no_slot') return { ...pending, inMs: laterMs, lastError: { reason, looks } }
  if (seen === 'no_answer' || seen === 'token_refused') return lookAgain(claim, afterMs[0] ?? 0, terms)
  const done = seen === 'unreadable' ? afterMs.length : looks + 1
  const inMs = done >= afterMs.length ? 0 : (afterMs[done] ?? 0) - (afterMs[looks] ?? 0)
  return { ...pending, inMs, lastError: { reason, looks: done } }
}

function lookAgain({ looks, unanswered, ageMs, othersWait }: Looking, baseMs: number, terms: RetryTerms) {
  const reason = 'nobody knows whether it took effect, and Feishu does not say'
  if (ageMs >= maxAgeOf(terms, othersWait))
    return { to: 'dead', class: 'unconfirmed', lastError: { reason, class: 'unconfirmed' } } as const
  const inMs = backoffCeilingMs({ attempt: unanswered + 1, baseMs, maxMs: terms.maxMs })
  const lastError = { reason, looks, unanswered: unanswered + 1 }
  return { to: 'pending', attempt: 0, ambiguous: false, ages: true, inMs, lastError } as const
}
