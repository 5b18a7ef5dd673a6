import type { Claim } from '../outbox/claim.js'
import type { LastError, Settled } from '../outbox/settle.js'
import type { FeishuApi } from './apis.js'
import { type Outcome, settle, settleExpired } from './outcomes.js'
import type { FeishuReply } from './reply.js'
import { retryDelayMs } from './retry.js'

export interface RetryTerms {
  baseMs: number
  maxMs: number
  maxAgeMs: number
}

/** What the pump does besides writing down what became of a claim. */
export type Aside =
  | { kind: 'none' }
  | { kind: 'slow_down'; resetMs: number }
  | { kind: 'evict_token'; alsoAppToken: boolean }
  | { kind: 'hold'; scope: 'tenant' | 'app' | 'method'; code: number; reason: string }

export interface Decision {
  settled: Settled
  lastError: LastError | null
  aside: Aside
}

/** A stage that others wait behind may hold them up for this part of the longest age only. */
const partForHeads = 12
/** A delivery that waits for a slot can meet more than one token that was taken back meanwhile. */
const mostTokens = 3

/** What one reply means for one claim: the table of outcomes, the backoff and the age put together. Pure. */
export function decide(
  claim: Claim,
  reply: FeishuReply,
  terms: RetryTerms,
  slowDowns: number,
  random: number,
): Decision {
  const attempts = claim.attempts + 1
  const outcome = settle({
    api: apiOf(claim),
    reply,
    attempts,
    wasAmbiguous: claim.ambiguous,
    orderEndedHere: claim.orderState === 'completed' || claim.orderState === 'canceled',
    cancelKnown: claim.orderState === 'canceled',
    tokenWasRefreshed: claim.tokensRefused >= mostTokens,
    slowDowns,
    random,
  })
  return fromOutcome(outcome, claim, reply, terms, random)
}

function fromOutcome(outcome: Outcome, claim: Claim, reply: FeishuReply, terms: RetryTerms, random: number): Decision {
  const failed = (settled: Settled, reason: string, aside: Aside = { kind: 'none' }): Decision => ({
    settled,
    lastError: { ...factsOf(reply), ...(settled.to === 'dead' && { class: settled.class }), reason },
    aside,
  })
  const notAnAttempt = (inMs: number): Settled => ({ to: 'pending', inMs, attempt: 0, ambiguous: false })
  switch (outcome.kind) {
    case 'delivered': {
      const { confirmed, heldForApproval = false } = outcome
      return { settled: { to: 'delivered', confirmed, heldForApproval }, lastError: null, aside: { kind: 'none' } }
    }
    case 'superseded':
      return failed({ to: 'superseded' }, outcome.reason)
    case 'dead':
      return failed({ to: 'dead', class: outcome.class }, outcome.reason)
    case 'slow_down':
      return failed(notAnAttempt(outcome.resetMs), 'Feishu asked to slow down', {
        kind: 'slow_down',
        resetMs: outcome.resetMs,
      })
    case 'hold':
      return failed(notAnAttempt(0), outcome.reason, outcome)
    case 'refresh_token': {
      const decision = failed(notAnAttempt(0), outcome.reason, {
        kind: 'evict_token',
        alsoAppToken: outcome.alsoAppToken,
      })
      return {
        ...decision,
        lastError: { ...factsOf(reply), reason: outcome.reason, tokens_refused: claim.tokensRefused + 1 },
      }
    }
    case 'retry':
      if (outcome.notAnAttempt) return failed(notAnAttempt(0), outcome.reason)
      return failed(laterOrDead(outcome, claim, reply, terms, random), outcome.reason)
    case 'probe':
    case 'adopt':
    case 'create_again':
      throw new Error(`the outcome ${outcome.kind} belongs to no call for an order`)
  }
}

function laterOrDead(
  { ambiguous, minDelayMs = 0 }: Outcome & { kind: 'retry' },
  claim: Claim,
  reply: FeishuReply,
  { baseMs, maxMs, maxAgeMs }: RetryTerms,
  random: number,
): Settled {
  const delayMs = retryDelayMs({
    attempt: claim.attempts + 1,
    baseMs,
    maxMs,
    random,
    ageMs: claim.ageMs,
    maxAgeMs: claim.othersWait ? maxAgeMs / partForHeads : maxAgeMs,
  })
  if (delayMs !== null) return { to: 'pending', inMs: Math.max(delayMs, minDelayMs), attempt: 1, ambiguous }
  const expired = settleExpired({
    wasAmbiguous: claim.ambiguous || ambiguous,
    reachedFeishu: reply.kind !== 'not_sent',
  })
  return { to: 'dead', class: expired.kind === 'dead' ? expired.class : 'ours' }
}

/** Buckets carry only what putWaiting wrote. */
export function apiOf(claim: Claim): FeishuApi {
  return claim.api as FeishuApi
}

function factsOf(reply: FeishuReply): Omit<LastError, 'reason'> {
  if (reply.kind === 'not_sent' || reply.kind === 'withdrawn') return {}
  return {
    ...(reply.kind === 'answer' && { code: reply.code }),
    ...(reply.httpStatus !== undefined && { http_status: reply.httpStatus }),
    ...(reply.logId !== undefined && { log_id: reply.logId }),
  }
}
