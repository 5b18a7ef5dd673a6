import type { HttpReply } from './feishu-http.js'
import { factsOf, parseObject } from './reply.js'

export type TokenAnswer = { kind: 'token'; token: string } | TokenUnavailable

export interface TokenUnavailable {
  kind: 'unavailable'
  /** `later`: nobody has to act, try again. `tenant`, `app`: hold its deliveries, someone has to act. */
  class: 'later' | 'tenant' | 'app'
  /** Feishu's code, where it gave one. */
  code: number | null
  /** Ours, without foreign text. */
  reason: string
  retryInMs: number
}

/** What an endpoint of auth/v3 answered, docs/feishu.md §4.2. Token fields stand at the top level. */
export type AuthAnswer =
  | { kind: 'given'; token: string; lifeMs: number }
  /** The app ticket is missing, old or refused: ask for another. */
  | { kind: 'ticket_refused'; code: number }
  /** The app access token was refused: get another, once. */
  | { kind: 'app_token_refused'; code: number }
  | TokenUnavailable

interface CodeRow {
  codes: readonly number[]
  class: TokenUnavailable['class']
  reason: string
  source: string
}

/** What is not named here is tried again later. */
export const authRows: readonly CodeRow[] = [
  { codes: [10013], class: 'later', reason: 'Feishu gives no tenant access token', source: '§4.3 [Err]' },
  { codes: [10014], class: 'app', reason: 'the app is not available in Feishu', source: '§4.3 [Err]' },
  { codes: [10015], class: 'app', reason: 'the app secret is wrong', source: '§4.3 [Err]' },
  { codes: [10003], class: 'app', reason: 'Feishu calls the token request wrong', source: '§4.3 [Err]' },
  { codes: [10016], class: 'app', reason: 'the app is a custom app, not a store app', source: '§4.2 [Err]' },
  { codes: [10005], class: 'tenant', reason: 'the app is not authorised in this tenant', source: '§4.3 [Err]' },
  {
    codes: [20009, 99991662, 99991673],
    class: 'tenant',
    reason: 'the app is not installed or is disabled in this tenant',
    source: '§4.3 [Err]',
  },
  {
    codes: [99991401],
    class: 'app',
    reason: 'our address is not in the app’s list of allowed ones',
    source: '§4.3 [Err]',
  },
  { codes: [99991403], class: 'app', reason: 'the monthly quota of API calls is used up', source: '§4.1 [Quota, Err]' },
  {
    codes: [99991201, 99991301],
    class: 'app',
    reason: 'the base URL does not lead to Feishu’s API',
    source: '§4.3 [Err]',
  },
]

const holdMs = 60_000

export function readAuthAnswer(reply: HttpReply, tokenField: string, backoffMs: number): AuthAnswer {
  if (reply.kind !== 'answer') return later(null, 'Feishu’s token service could not be reached', backoffMs)
  const body = parseObject(reply.body) ?? {}
  const code = Number.isSafeInteger(body.code) ? Number(body.code) : null
  if (code === 0 && reply.status < 300) return readToken(body, tokenField, backoffMs)
  if (code === 10012) return { kind: 'ticket_refused', code }
  if (code === 99991664) return { kind: 'app_token_refused', code }
  const known = authRows.find((row) => code !== null && row.codes.includes(code))
  if (known && known.class !== 'later')
    return { kind: 'unavailable', class: known.class, code, reason: known.reason, retryInMs: holdMs }
  const { resetMs = 0 } = factsOf(reply.headers)
  const reason = known?.reason ?? (code === null ? 'an answer that is not in Feishu’s form' : 'Feishu refuses a token')
  return later(code, reason, Math.max(backoffMs, Math.min(resetMs, 300_000)))
}

/** Opaque and of any length (§4.2), but it has to fit into a header. */
function readToken(body: Record<string, unknown>, field: string, backoffMs: number): AuthAnswer {
  const token = body[field]
  const seconds = Number(body.expire)
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token) || !(seconds > 0) || !Number.isFinite(seconds)) {
    return later(0, 'an answer without a token', backoffMs)
  }
  return { kind: 'given', token, lifeMs: seconds * 1000 }
}

export function later(code: number | null, reason: string, retryInMs: number): TokenUnavailable {
  return { kind: 'unavailable', class: 'later', code, reason, retryInMs: Math.ceil(retryInMs) }
}
