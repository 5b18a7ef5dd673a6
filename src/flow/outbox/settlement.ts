import type { DeadClass } from '../map.js'

/** What became of a claim. */
export type Settlement = Settled & {
  id: string
  fence: number
  lane: string
  backgroundCheckId: string | null
  /** Since the answer of the call that was made; `null` when none was. */
  callMsAgo: number | null
  /** That call, for the table of calls per minute. */
  call?: CallMade
  /** `null`: what failed before stays told while the delivery is pending, and is gone once it is settled. */
  lastError: LastError | null
}

export interface CallMade {
  appId: string
  tenantKey: string
  /** The method that was called. */
  api: string
  /** Feishu asked to slow down. */
  limited: boolean
}

export type Settled =
  | { to: 'delivered'; confirmed: boolean; heldForApproval: boolean; answer?: { id: string } }
  | { to: 'superseded' }
  | { to: 'dead'; class: DeadClass }
  /** `attempt` 0: waiting for a limit, a token or a hold is not an attempt, and does not age it unless it `ages`. */
  | { to: 'pending'; inMs: number; attempt: 0 | 1; ambiguous: boolean; move?: Move; ages?: boolean }

/** Goes on in the bucket of another method: to be probed, or back to be created, since nothing of it is there. */
export interface Move {
  toBucketOf: string
  /** No earlier attempt took effect. */
  clears: boolean
}

/** Codes, paths and types of the last failure, never values. */
export interface LastError {
  code?: number
  http_status?: number
  log_id?: string
  class?: string
  reason: string
  /** How many tokens in a row were refused. */
  tokens_refused?: number
  /** How often Feishu was asked whether the attempt before took effect. */
  looks?: number
  /** Of these, those in a row that got no answer. */
  unanswered?: number
  /** A probe has shown that the set is not there. */
  probed?: boolean
}
