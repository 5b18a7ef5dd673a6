import { probes } from '../map.js'
import type { Claim } from '../outbox/claim.js'
import type { LastError, Move, Settled } from '../outbox/settlement.js'
import type { FeishuApi } from './apis.js'
import { type Outcome, type Settling, settle, settleExpired, settleProbe } from './outcomes.js'
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
  | { kind: 'hold'; scope: 'tenant' | 'app' | 'method'; family?: true; code: number; reason: string }
  /** The agreement exists: when a read tells its id, that is the delivery. */
  | { kind: 'adopt' }

export interface Decision {
  settled: Settled
  lastError: LastError | null
  aside: Aside
}

/** Contract §3.10. */
const orderClosed = 1002858
/** A stage that others wait behind may hold them up for this part of the longest age only. */
const partForHeads = 12
/** A delivery that waits for a slot can meet more than one token that was taken back meanwhile. */
const mostTokens = 3

/**
 * What one reply means for one claim: the table of outcomes, the backoff and the age put together; `isProbe` when the
 * call asked whether what is to be created is there. Pure.
 */
export function decide(
  claim: Claim,
  reply: FeishuReply,
  terms: RetryTerms,
  slowDowns: number,
  random: number,
  isProbe = false,
): Decision {
  const input = {
    api: apiOf(claim),
    reply,
    attempts: claim.attempts + 1,
    // What Feishu refuses may have been there before: nothing is inferred about a result that is sent again.
    wasAmbiguous: claim.ambiguous && !claim.again,
    orderEndedHere: claim.orderState === 'completed' || claim.orderState === 'canceled',
    cancelKnown: claim.orderState === 'canceled',
    tokenWasRefreshed: claim.tokensRefused >= mostTokens,
    probed: claim.probed,
    slowDowns,
    random,
  }
  const outcome = isProbe && isProbed(input) ? settleProbe(input) : settle(input)
  return fromOutcome(outcome, claim, reply, terms, random)
}

function isProbed(input: Settling): input is Settling & { api: 'packages.create' | 'custom_fields.create' } {
  return probes[input.api] !== undefined
}

function fromOutcome(outcome: Outcome, claim: Claim, reply: FeishuReply, terms: RetryTerms, random: number): Decision {
  const probed = claim.probed ? { probed: true } : {}
  const failed = (settled: Settled, reason: string, aside: Aside = { kind: 'none' }): Decision => ({
    settled,
    lastError: { ...factsOf(reply), ...(settled.to === 'dead' && { class: settled.class }), ...probed, reason },
    aside,
  })
  const notAnAttempt = (inMs: number): Settled => ({ to: 'pending', inMs, attempt: 0, ambiguous: false })
  switch (outcome.kind) {
    case 'delivered': {
      const { confirmed, heldForApproval = false } = outcome
      const answer = createdIn(claim, reply)
      return {
        settled: { to: 'delivered', confirmed, heldForApproval, ...(answer && { answer }) },
        lastError: null,
        aside: { kind: 'none' },
      }
    }
    case 'superseded':
      return failed({ to: 'superseded' }, outcome.reason)
    case 'dead':
      return failed({ to: 'dead', class: mayBeTaken(claim, reply) ? 'unconfirmed' : outcome.class }, outcome.reason)
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
        lastError: { ...factsOf(reply), ...probed, reason: outcome.reason, tokens_refused: claim.tokensRefused + 1 },
      }
    }
    case 'retry':
      if (outcome.notAnAttempt) return failed(notAnAttempt(0), outcome.reason)
      return failed(laterOrDead(outcome, claim, reply, terms, random), outcome.reason)
    case 'probe': {
      const later = laterOrDead({ ...outcome, kind: 'retry' }, claim, reply, terms, random)
      return failed(moved(later, { toBucketOf: outcome.with, clears: false }), outcome.reason)
    }
    case 'create_again': {
      const decision = failed(
        { to: 'pending', inMs: 0, attempt: 1, ambiguous: false, move: { toBucketOf: claim.api, clears: true } },
        outcome.reason,
      )
      return { ...decision, lastError: { ...factsOf(reply), reason: outcome.reason, probed: true } }
    }
    case 'adopt':
      return failed(
        laterOrDead({ ...outcome, kind: 'retry', ambiguous: false }, claim, reply, terms, random),
        outcome.reason,
        {
          kind: 'adopt',
        },
      )
  }
}

/** The order is closed: by the attempt before this one, or by a result that was there before. */
function mayBeTaken(claim: Claim, reply: FeishuReply): boolean {
  return claim.again && claim.ambiguous && reply.kind === 'answer' && reply.code === orderClosed
}

/** Past this age a delivery is dead. */
export function maxAgeOf({ maxAgeMs }: Pick<RetryTerms, 'maxAgeMs'>, othersWait: boolean): number {
  return othersWait ? maxAgeMs / partForHeads : maxAgeMs
}

function moved(settled: Settled, move: Move): Settled {
  return settled.to === 'pending' ? { ...settled, move } : settled
}

/** The id that Feishu gave to an agreement. */
function createdIn(claim: Claim, reply: FeishuReply): { id: string } | undefined {
  if (claim.api !== 'tripartite_agreements.create' || reply.kind !== 'answer') return undefined
  const { data } = reply
  const id = typeof data === 'object' && data !== null && 'id' in data ? data.id : undefined
  return isAgreementId(id) ? { id } : undefined
}

/** What a path of Feishu's and a row of ours take. Feishu answers ids as text (contract §3.9). */
export function isAgreementId(id: unknown): id is string {
  return typeof id === 'string' && /^[0-9]{1,32}$/.test(id)
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
    maxAgeMs: maxAgeOf({ maxAgeMs }, claim.othersWait),
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
