import { probes } from '../map.js'
import type { Bucket } from '../outbox/buckets.js'
import type { Claim } from '../outbox/claim.js'
import type { Settlement } from '../outbox/settlement.js'
import { type Attempts, idsOf } from './attempt.js'

/** What was erased or canceled while it waited is not sent, nor what no key opens. Answers what is left to send. */
export async function setAside(
  claims: readonly Claim[],
  bucket: Bucket,
  attempts: Attempts,
  settle: (settlement: Settlement) => Promise<void>,
): Promise<Claim[]> {
  const settlements = new Map<Claim, Settlement>()
  for (const claim of claims) {
    const settlement = insteadOfSending(claim, bucket, attempts)
    if (settlement !== null) settlements.set(claim, settlement)
  }
  await Promise.all([...settlements.values()].map(settle))
  return claims.filter((claim) => !settlements.has(claim))
}

function insteadOfSending(claim: Claim, bucket: Bucket, attempts: Attempts): Settlement | null {
  const ids = { ...idsOf(claim), callMsAgo: null }
  if (isGone(claim)) {
    return { ...ids, to: 'superseded', lastError: { reason: 'the order was canceled or erased while this waited' } }
  }
  if (!attempts.canOpen(claim)) {
    return { ...ids, to: 'dead', class: 'ours', lastError: { reason: 'its content cannot be opened' } }
  }
  return mustProbe(claim, bucket) ? { ...ids, ...moveToProbe(claim) } : null
}

function isGone(claim: Claim): boolean {
  const erased = claim.bodySealed === null || (claim.backgroundCheckId !== null && claim.dataKey === null)
  return erased || claim.orderState === 'canceled'
}

/** Its process died in a create: whether that took effect is asked by another method, in whose bucket it goes on. */
function mustProbe(claim: Claim, bucket: Bucket): boolean {
  return claim.ambiguous && probes[claim.api] !== undefined && bucket.api === claim.api
}

function moveToProbe(claim: Claim) {
  return {
    to: 'pending',
    inMs: 0,
    attempt: 0,
    ambiguous: true,
    lastError: { reason: 'an earlier attempt may have taken effect' },
    move: { toBucketOf: probes[claim.api] ?? claim.api, clears: false },
  } as const
}
