import type { IncomingHttpHeaders } from 'node:http'
import type { HttpAnswer } from '../../platform/http-call.js'
import type { VendorFailure } from './adapter.js'

/** What of a call decides what its failure means. */
export interface Question {
  method: 'GET' | 'POST'
  /** The path as the documentation has it, for messages: ids stay out of them. */
  route: string
  /** Another call with the same key may be running, or have won. */
  retriesConflict?: boolean
}

export type Unanswered = Exclude<HttpAnswer, { kind: 'answer' }>

const FINAL = new Set([400, 409, 410, 413, 415, 422])
const HOUR_MS = 3_600_000

/** docs/vendor-api.md: what each status that is not a success means. */
export function failureOfStatus(
  question: Question,
  status: number,
  headers: IncomingHttpHeaders,
  now: number,
): VendorFailure {
  const message = `${nameOf(question)} answered ${status}${hintFor(question, status)}`
  if (isMisconfigured(question, status)) return { kind: 'misconfigured', message, status }
  if (FINAL.has(status) && !(status === 409 && question.retriesConflict)) return { kind: 'final', message, status }
  const retryAfterMs = readRetryAfter(headers['retry-after'], now)
  // A request that came too early was not looked at; behind any other status the vendor may have done its part.
  const ambiguous = question.method === 'POST' && status !== 429
  return { kind: 'retry', message, status, ambiguous, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}

function isMisconfigured({ method }: Question, status: number): boolean {
  return status === 401 || status === 403 || (method === 'POST' && (status === 404 || status === 405))
}

function hintFor({ method }: Question, status: number): string {
  if (status >= 300 && status < 400) return ', and redirects are not followed'
  if (status === 401 || status === 403) return ': the key is not accepted'
  return method === 'POST' && (status === 404 || status === 405) ? ': nothing takes this call there' : ''
}

/** No complete answer came: only a POST that may have left can have had an effect. */
export function failureWithoutAnswer(question: Question, answer: Unanswered): VendorFailure {
  const ambiguous = question.method === 'POST' && answer.kind !== 'not_sent'
  return { kind: 'retry', message: `${nameOf(question)}: ${answer.message}`, ambiguous }
}

export function unreadable(question: Question, status: number, complaint: string): VendorFailure {
  const message = `${nameOf(question)} answered ${status} with something else than documented: ${complaint}`
  return { kind: 'retry', message, status, ambiguous: question.method === 'POST' }
}

function nameOf({ method, route }: Question): string {
  return `${method} ${route}`
}

/** Seconds or an HTTP date, between now and an hour from now; anything else counts as absent. */
export function readRetryAfter(value: string | undefined, now: number): number | undefined {
  const text = value?.trim() ?? ''
  // Date.parse takes many things for a date, numbers among them; RFC 9110 dates begin with a day and end with GMT.
  const isDate = /^[A-Z][a-z]{2,8},? .* GMT$/.test(text)
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : isDate ? Date.parse(text) - now : Number.NaN
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), HOUR_MS)
}
