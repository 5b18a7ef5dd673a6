import type { Claim } from '../outbox/claim.js'
import type { Settlement } from '../outbox/settlement.js'
import { idsOf } from './attempt.js'

/** Claims that were not sent are due again in `inMs`: that was no attempt. `reason` is ours, without foreign text. */
export async function handBack(
  claims: readonly Claim[],
  settle: (settlement: Settlement) => Promise<void>,
  inMs: number,
  reason?: string,
): Promise<void> {
  const settled = { to: 'pending', inMs, attempt: 0, ambiguous: false } as const
  const lastError = reason === undefined ? null : { reason }
  await Promise.all(claims.map((claim) => settle({ ...idsOf(claim), ...settled, callMsAgo: null, lastError })))
}
