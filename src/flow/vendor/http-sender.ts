import type { z } from 'zod'
import type { HttpAnswer, HttpClient } from '../../platform/http-call.js'
import { traceHeaders } from '../../platform/tracing/spans.js'
import type { VendorAnswer, VendorCall, VendorFailure } from './adapter.js'
import { failureOfStatus, failureWithoutAnswer, type Question, unreadable } from './http-errors.js'
import { readJson } from './http-reading.js'

export type Answered = Extract<HttpAnswer, { kind: 'answer' }>

interface Ask<T> extends Question {
  /** Below the base URL, with its query. */
  path: string
  body?: unknown
  idempotencyKey?: string
  /** What a 2xx answer says. */
  read(answer: Answered): VendorAnswer<T>
  /** A status that answers the question although it is not a success. */
  except?: { status: number; means: T }
}

export type Send = <T>(ask: Ask<T>, call: VendorCall) => Promise<VendorAnswer<T>>

export interface SenderSettings {
  baseUrl: string
  apiKey: string
  timeoutMs: number
  now: () => number
}

const SENDABLE_HEADER = /^[\x21-\x7e]+$/

/** Throws when its settings cannot be used. */
export function createSender({ baseUrl, apiKey, timeoutMs, now }: SenderSettings, client: HttpClient): Send {
  const base = readBase(baseUrl)
  if (!SENDABLE_HEADER.test(apiKey)) throw new Error('VENDOR_API_KEY: expected printable ASCII without spaces')
  return async (ask, call) => {
    const { method, path, body, idempotencyKey } = ask
    if (idempotencyKey !== undefined && !SENDABLE_HEADER.test(idempotencyKey)) return unsendable(ask)
    const notYet = (await call.turn?.()) ?? null
    if (notYet !== null) return notYet
    const answer = await client.call({
      method,
      url: new URL(base + path),
      headers: headersOf(apiKey, body, idempotencyKey),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs,
      signal: call.signal,
    })
    return answer.kind === 'answer' ? judge(ask, answer, now()) : failureWithoutAnswer(ask, answer)
  }
}

function readBase(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null
  const extras = url === null ? '' : url.search + url.hash + url.username + url.password
  if (url === null || !/^https?:$/.test(url.protocol) || extras !== '') {
    throw new Error('VENDOR_BASE_URL: expected an http or https URL without credentials, query and fragment')
  }
  return url.origin + url.pathname.replace(/\/+$/, '')
}

function headersOf(apiKey: string, body: unknown, idempotencyKey: string | undefined): Record<string, string> {
  return {
    accept: 'application/json',
    // Unpacking would need a limit of its own.
    'accept-encoding': 'identity',
    authorization: `Bearer ${apiKey}`,
    'user-agent': 'bgc-bridge',
    ...traceHeaders(),
    ...(body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }),
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
  }
}

function judge<T>(ask: Ask<T>, answer: Answered, now: number): VendorAnswer<T> {
  const { status, headers } = answer
  if (status >= 200 && status < 300) return ask.read(answer)
  if (ask.except?.status === status) return { kind: 'ok', value: ask.except.means }
  return failureOfStatus(ask, status, headers, now)
}

function unsendable({ method, route }: Question): VendorFailure {
  return { kind: 'final', message: `${method} ${route}: the id has characters that no Idempotency-Key may have` }
}

export type Refuse = (complaint: string) => VendorFailure

/** Reads a body of a shape; `check` may refuse what the shape cannot know. */
export function expecting<S, T>(
  question: Question,
  schema: z.ZodType<S>,
  check: (value: S, refuse: Refuse) => VendorAnswer<T>,
) {
  return ({ status, headers, body }: Answered): VendorAnswer<T> => {
    const refuse: Refuse = (complaint) => unreadable(question, status, complaint)
    const read = readJson(body, headers['content-type'], schema)
    return read.ok ? check(read.value, refuse) : refuse(read.complaint)
  }
}

export function ok<T>(value: T): VendorAnswer<T> {
  return { kind: 'ok', value }
}
