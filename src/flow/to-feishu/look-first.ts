import type { Settlement } from '../outbox/settle.js'
import type { Decision } from './decide.js'
import type { Seen } from './look-up.js'

/** An attempt whose outcome is not known is looked for before it is repeated. */
export function lookFirst(decision: Decision, inMs: number): Decision {
  const { settled } = decision
  return settled.to === 'pending' && settled.ambiguous ? { ...decision, settled: { ...settled, inMs } } : decision
}

const laterMs = 2000

/** What a look means for a delivery: pure. */
export function afterLook(
  seen: Seen,
  looks: number,
  afterMs: readonly number[],
): Pick<Settlement, 'lastError'> & Decision['settled'] {
  if (seen === 'found') return { to: 'delivered', confirmed: true, heldForApproval: false, lastError: null }
  const reason = 'no readable answer came; Feishu is asked whether it took effect'
  const pending = { to: 'pending', attempt: 0, ambiguous: false } as const
  if (seen === 'no_slot') return { ...pending, inMs: laterMs, lastError: { reason, looks } }
  const done = seen === 'unreadable' ? afterMs.length : looks + 1
  const inMs = done >= afterMs.length ? 0 : (afterMs[done] ?? 0) - (afterMs[looks] ?? 0)
  return { ...pending, inMs, lastError: { reason, looks: done } }
}
