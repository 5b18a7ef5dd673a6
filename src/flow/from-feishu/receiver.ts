import type { IncomingMessage, ServerResponse } from 'node:http'
import { beginSpan, traceParentOf } from '../../platform/tracing/spans.js'
import type { Inbox, ReceivedEvent } from '../map.js'
import { drain, readBody } from './body.js'
import { type Budget, createBudget } from './budget.js'
import { judge, type ReceivingApp, type Refusal } from './judge.js'

/**
 * The room `from-feishu`: answers Feishu's pushes.
 *
 * Called by the HTTP server for every path below `/webhooks/feishu`. Promised: 200 only after the inbox has committed
 * the event (or had it before), within 2.5 s, since Feishu hangs up at 3 s; 503 when that cannot be known, so that
 * Feishu sends it again; 4xx for whatever is not Feishu's, of which nothing is kept but a count.
 */
export interface ReceiverOptions {
  apps: readonly ReceivingApp[]
  inbox: Inbox
  maxEventAgeMs: number
  limits?: Partial<ReceiverLimits>
  now?: () => number
  onAnswer?: (status: number, reason: AnswerReason, elapsedMs: number) => void
}

export type AnswerReason =
  | Refusal
  | 'accepted'
  | 'duplicate'
  | 'challenge'
  | 'unavailable'
  | 'path'
  | 'method'
  | 'size'
  | 'encoding'
  | 'crowded'
  | 'late'

type Answer = { status: number; reason: AnswerReason; body?: object; headers?: Record<string, string> }
type Means = ReceiverOptions & { limits: ReceiverLimits; budget: Budget }

export interface ReceiverLimits {
  /** From the first byte: the whole body, and the answer. What a slow body took, the inbox does not get. */
  bodyWithinMs: number
  answerWithinMs: number
  /** For so long is read what nobody wants. */
  drainWithinMs: number
}

export const usualLimits: ReceiverLimits = { bodyWithinMs: 2000, answerWithinMs: 2300, drainWithinMs: 1000 }
const largestBody = 1024 * 1024
/** Of all bodies that are under way. */
const bodiesTogether = 64 * largestBody
const path = /^\/webhooks\/feishu\/(?:([^/?]+)\/)?events(?:\?.*)?$/

export function createReceiver(options: ReceiverOptions) {
  const limits = { ...usualLimits, ...options.limits }
  const means = { ...options, limits, budget: createBudget(bodiesTogether) }
  const apps = new Map(options.apps.map((app) => [app.appId, app]))
  const appOf = (url: string) => {
    const match = path.exec(url)
    return match ? (match[1] === undefined ? options.apps[0] : apps.get(match[1])) : undefined
  }
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const started = performance.now()
    const answer = await answerTo(request, appOf(request.url ?? ''), means, started)
    if (answer === 'gone') return
    send(request, response, answer, limits)
    options.onAnswer?.(answer.status, answer.reason, performance.now() - started)
  }
}

async function answerTo(
  request: IncomingMessage,
  app: ReceivingApp | undefined,
  means: Means,
  started: number,
): Promise<Answer | 'gone'> {
  if (app === undefined) return { status: 404, reason: 'path' }
  if (request.method !== 'POST') return { status: 405, reason: 'method', headers: { Allow: 'POST' } }
  const body = await readBody(request, largestBody, means.limits.bodyWithinMs, means.budget)
  if (body.kind === 'gone') return 'gone'
  if (body.kind === 'too_large') return { status: 413, reason: 'size' }
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') return { status: 415, reason: 'encoding' }
  if (body.kind === 'crowded') return { ...unavailable, reason: 'crowded' }
  if (body.kind === 'late') return { status: 408, reason: 'late' }
  const verdict = judge(body.bytes, request.headers, app)
  if (verdict.kind === 'refused') return { status: verdict.status, reason: verdict.reason }
  if (verdict.kind === 'challenge') return { status: 200, reason: 'challenge', body: { challenge: verdict.challenge } }
  return keepTraced(verdict.event, verdict.signedAt, means, started)
}

/** The root of a trace. Only what is Feishu's gets one, and no traceparent that came with it is believed. */
async function keepTraced(
  event: ReceivedEvent,
  signedAt: number | null,
  means: Means,
  started: number,
): Promise<Answer> {
  const { appId, tenantKey, eventId, type } = event
  const ids = { 'bgc.app_id': appId, 'bgc.tenant_key': tenantKey, 'bgc.event_id': eventId, 'bgc.event_type': type }
  const span = beginSpan('receive event', { kind: 'server', parent: null, since: started, attributes: ids })
  try {
    const answer = await keep({ ...event, traceParent: traceParentOf(span) }, signedAt, means, started)
    span.setAttributes({ 'http.response.status_code': answer.status, 'bgc.outcome': answer.reason })
    return answer
  } finally {
    span.end()
  }
}

async function keep(
  event: ReceivedEvent,
  signedAt: number | null,
  { inbox, limits, maxEventAgeMs, now = Date.now }: Means,
  started: number,
): Promise<Answer> {
  const deadline = started + limits.answerWithinMs
  // What is no time would be a way around the age: see readTimestamp.
  if (signedAt === null || now() - signedAt > maxEventAgeMs) {
    const known = await by(deadline, inbox.isKnown(event.appId, event.eventId))
    if (known === 'unavailable') return unavailable
    return known ? { status: 200, reason: 'duplicate', body: {} } : { status: 401, reason: 'too_old' }
  }
  const acceptance = await by(deadline, inbox.accept(event))
  return acceptance === 'unavailable' ? unavailable : { status: 200, reason: acceptance, body: {} }
}

/** Later than promised is as good as never: Feishu sends it again, and whatever was committed meanwhile is a duplicate. */
function by<T>(deadline: number, work: Promise<T>): Promise<T | 'unavailable'> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, Math.max(0, deadline - performance.now()), 'unavailable')
    const inTime = (result: T) => {
      clearTimeout(timer)
      resolve(result)
    }
    work.then(inTime, (failure: unknown) => {
      clearTimeout(timer)
      reject(failure)
    })
  })
}

const unavailable: Answer = { status: 503, reason: 'unavailable', headers: { 'Retry-After': '5' } }

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, body, headers }: Answer,
  { drainWithinMs }: ReceiverLimits,
): void {
  const text = JSON.stringify(body ?? { error: statusTexts[status] ?? 'refused' })
  const close = request.complete ? {} : { Connection: 'close' }
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...close,
    ...headers,
  })
  if (request.complete) return void response.end(text)
  // Ending closes the connection, and what is on its way to a closed one resets it: the answer would be lost.
  response.write(text)
  drain(request, 8 * largestBody, drainWithinMs, () => response.end())
}

/** Says no more than the status does: the sender of a forgery learns nothing. */
const statusTexts: Record<number, string> = {
  400: 'bad request',
  401: 'unauthorized',
  404: 'not found',
  405: 'method not allowed',
  408: 'request timeout',
  413: 'payload too large',
  415: 'unsupported media type',
  503: 'unavailable',
}
