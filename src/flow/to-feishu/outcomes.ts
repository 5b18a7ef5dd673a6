import { probes } from '../map.js'
import { type FeishuApi, isRead } from './apis.js'
import { type DeadClass, isGateway, isRefusal, type OutcomeRow, type Verdict } from './outcome-row.js'
import { outcomeRows } from './outcome-rows.js'
import type { FeishuAnswer, FeishuReply } from './reply.js'
import { backoffCeilingMs } from './retry.js'

export type { DeadClass, OutcomeRow } from './outcome-row.js'
export { outcomeRows } from './outcome-rows.js'

/** What the sender does next with a delivery. Reasons are ours and hold no foreign text. */
export type Outcome =
  /** `confirmed: false`: Feishu's yes was inferred. */
  | { kind: 'delivered'; confirmed: boolean; heldForApproval?: true }
  /** No longer needed. */
  | { kind: 'superseded'; reason: string }
  /** Later, by `retryDelayMs` and not before `minDelayMs`. `ambiguous`: remember that this attempt may have taken effect. */
  | { kind: 'retry'; ambiguous: boolean; notAnAttempt?: true; minDelayMs?: number; reason: string }
  /** Evict the token, get one, repeat once at once. */
  | { kind: 'refresh_token'; alsoAppToken: boolean; reason: string }
  /** Close the bucket for this long; not an attempt. */
  | { kind: 'slow_down'; resetMs: number }
  | { kind: 'hold'; scope: 'tenant' | 'app' | 'method'; family?: true; code: number; reason: string }
  | { kind: 'dead'; class: DeadClass; reason: string }
  /** Later, by `retryDelayMs`, the same set to `with`; `settleProbe` says what its answer means. */
  | { kind: 'probe'; with: ProbeApi; ambiguous: boolean; reason: string }
  /** The agreement exists: read it by its application and take its id; that is the delivery. */
  | { kind: 'adopt'; reason: string }
  /** The probe shows that the set is not there: create it again; earlier ambiguous attempts did not take effect. */
  | { kind: 'create_again'; reason: string }

export type ProbeApi = 'packages.batch_update' | 'custom_fields.batch_update'

export interface Settling {
  api: FeishuApi
  reply: FeishuReply
  /** Of this delivery, this one included. */
  attempts: number
  /** An earlier attempt may have taken effect. */
  wasAmbiguous: boolean
  /** The order is completed or canceled here. */
  orderEndedHere: boolean
  /** A cancel of the order is known, the customer's or ours. */
  cancelKnown: boolean
  /** This attempt was made with a token fetched because the one before was refused. */
  tokenWasRefreshed: boolean
  /** A probe has shown that the set is not there. */
  probed?: boolean
  /** Answers in a row that asked this bucket to slow down, this one not included. */
  slowDowns?: number
  /** From 0 up to, not including, 1. */
  random: number
}

export function settle(input: Settling): Outcome {
  const { api, reply } = input
  switch (reply.kind) {
    case 'withdrawn':
      return { kind: 'retry', ambiguous: false, notAnAttempt: true, reason: 'withdrawn before it was sent' }
    case 'not_sent':
      return { kind: 'retry', ambiguous: false, reason: 'Feishu could not be reached' }
    case 'lost':
      return reply.httpStatus === 429 ? slowDown(input) : repeatLater(api, 'no readable answer came')
    case 'answer':
      return settleAnswer(input, reply)
  }
}

function settleAnswer(input: Settling, answer: FeishuAnswer): Outcome {
  const { verdict, reason } = rowFor(input, answer)
  return decide(verdict, reason, input, answer)
}

/** The first row that fits; the last one fits everything. */
export function rowFor(input: Settling, answer: FeishuAnswer): OutcomeRow {
  const row = outcomeRows.find((candidate) => fits(candidate, input, answer))
  if (row === undefined) throw new Error(`no outcome for HTTP ${answer.httpStatus}, code ${answer.code}`)
  return row
}

function fits(row: OutcomeRow, input: Settling, { httpStatus, code }: FeishuAnswer): boolean {
  return (
    (row.apis === 'any' || row.apis.includes(input.api)) &&
    (row.code === 'other' || row.code === code || (row.code === 'gateway' && isGateway(code))) &&
    (row.http === 'any' ||
      row.http === httpStatus ||
      (row.http === 'refused' && isRefusal(httpStatus, code)) ||
      row.http === `${Math.floor(httpStatus / 100)}xx`) &&
    (row.repeat ?? input.wasAmbiguous) === input.wasAmbiguous &&
    (row.orderEndedHere ?? input.orderEndedHere) === input.orderEndedHere &&
    (row.cancelKnown ?? input.cancelKnown) === input.cancelKnown
  )
}

function decide(verdict: Verdict, reason: string, input: Settling, answer: FeishuAnswer): Outcome {
  switch (verdict.kind) {
    case 'delivered':
      return verdict
    case 'slow_down':
      return slowDown(input)
    case 'hold':
      return { ...verdict, code: answer.code, reason: withScopes(reason, answer) }
    case 'refresh_token':
      return input.tokenWasRefreshed ? died(verdict.deadAs, reason) : { ...refreshOf(verdict), reason }
    case 'probe':
      return input.probed
        ? died(verdict.deadAs, reason)
        : { kind: 'probe', with: verdict.with, ambiguous: false, reason }
    case 'retry':
      return retry(verdict, reason, input)
    default:
      return { ...verdict, reason }
  }
}

function refreshOf({ kind, alsoAppToken }: Verdict & { kind: 'refresh_token' }) {
  return { kind, alsoAppToken }
}

function retry(verdict: Verdict & { kind: 'retry' }, reason: string, input: Settling): Outcome {
  const { ambiguous, minDelayMs, limit = Number.POSITIVE_INFINITY, atLimit } = verdict
  if (input.attempts >= limit && atLimit === 'delivered') return { kind: 'delivered', confirmed: false }
  if (input.attempts >= limit && atLimit !== undefined && atLimit !== 'delivered') return died(atLimit, reason)
  if (ambiguous) return repeatLater(input.api, reason)
  return { kind: 'retry', ambiguous, ...(minDelayMs === undefined ? {} : { minDelayMs }), reason }
}

/** After an attempt that may have taken effect; §3.11 rule 2 says by which call. */
function repeatLater(api: FeishuApi, reason: string): Outcome {
  const probe = probes[api]
  if (probe !== undefined) return { kind: 'probe', with: probe, ambiguous: true, reason }
  return { kind: 'retry', ambiguous: !isRead(api), reason }
}

function died(of: DeadClass, reason: string): Outcome {
  return { kind: 'dead', class: of, reason }
}

function withScopes(reason: string, { missingScopes }: FeishuAnswer): string {
  return missingScopes === undefined ? reason : `${reason}: ${missingScopes.join(', ')}`
}

const shortestMs = 1_000
const longestMs = 300_000

/** Never before the time that Feishu names, nor after five minutes; without one exponential from a second (§4.1). */
function slowDown({ reply, slowDowns = 0, random }: Settling): Outcome {
  const named = 'resetMs' in reply ? reply.resetMs : undefined
  const ceiling = backoffCeilingMs({ attempt: slowDowns + 1, baseMs: shortestMs, maxMs: longestMs })
  const wait = named === undefined ? ceiling * (0.5 + random / 2) : Math.max(named, shortestMs) * (1 + random / 10)
  return { kind: 'slow_down', resetMs: Math.ceil(Math.min(Math.max(wait, shortestMs), longestMs)) }
}

/**
 * The answer to a probe of a create: 0, and it is there; a refusal by Hire, and it is not. Everything else says as
 * much about the probe as about any call (§3.11 rule 2).
 */
export function settleProbe(input: Settling & { api: 'packages.create' | 'custom_fields.create' }): Outcome {
  const probe = probes[input.api] ?? input.api
  const outcome = settle({ ...input, api: probe, wasAmbiguous: false })
  const { reply } = input
  if (outcome.kind === 'dead' && reply.kind === 'answer' && reply.httpStatus <= 400 && !isGateway(reply.code)) {
    return { kind: 'create_again', reason: 'Feishu does not have it yet' }
  }
  const again = outcome.kind === 'retry' && !outcome.notAnAttempt
  return again
    ? { kind: 'probe', with: probe as ProbeApi, ambiguous: outcome.ambiguous, reason: outcome.reason }
    : outcome
}

/** A delivery whose age is over: with an attempt that may have taken effect nobody knows (§3.11 rule 3). */
export function settleExpired({
  wasAmbiguous,
  reachedFeishu,
}: {
  wasAmbiguous: boolean
  reachedFeishu: boolean
}): Outcome {
  if (wasAmbiguous) return died('unconfirmed', 'no clear answer came while the delivery could wait')
  if (reachedFeishu) return died('feishu', 'Feishu did not take it while the delivery could wait')
  return died('ours', 'Feishu could not be reached while the delivery could wait')
}
