import { randomUUID } from 'node:crypto'
import type { Database } from '../../platform/database/database.js'
import { isFresh, type KnownUse, type Limiter, type RateWindow } from '../../platform/limiter/limiter.js'
import { isTracing } from '../../platform/tracing/spans.js'
import { type Bucket, bucketOf } from '../outbox/buckets.js'
import type { CountedCall } from '../outbox/call-minutes.js'
import type { ReadApi } from './apis.js'
import { traceCall } from './attempt-spans.js'
import type { FeishuClient } from './client.js'
import { outcomeRows } from './outcome-rows.js'
import type { FeishuReply } from './reply.js'
import { createSlotSource } from './slots.js'
import type { Tokens } from './tokens.js'

/**
 * Questions to Feishu that change nothing there, within the same windows as everything else. Rejects only when
 * PostgreSQL or Redis does.
 */
export interface FeishuReads {
  ask(appId: string, tenantKey: string, question: Question, signal?: AbortSignal): Promise<ReadReply>
  /** As `ask`, with a token that the caller has; `no_slot` only. */
  askWith(token: string, appId: string, tenantKey: string, question: Question, signal?: AbortSignal): Promise<Asked>
}

export interface Question {
  api: ReadApi
  body?: Record<string, unknown>
  query?: Record<string, string | number>
}

export type Asked = FeishuReply | { kind: 'no_slot'; retryInMs: number }
/** `class`: what a person would have to mend, or nothing where waiting helps. */
export type ReadReply = Asked | { kind: 'no_token'; class: string; reason: string; retryInMs: number }

export interface ReadsOptions {
  database: Database
  limiter: Limiter
  tokens: Tokens
  clientOf: (appId: string) => FeishuClient
  windowsOf: (api: string) => readonly RateWindow[]
  timeoutMs: number
  /** After each call that was made: reads settle nowhere, so nothing else counts them. */
  onCall?: (call: CountedCall, reply: FeishuReply) => void
}

export function createReads(options: ReadsOptions): FeishuReads {
  const { database, limiter, tokens, clientOf, windowsOf, timeoutMs } = options
  const slots = createSlotSource({ database, limiter, windowsOf, timeoutMs, usesOf: usesOfReads(timeoutMs) })

  const askWith: FeishuReads['askWith'] = async (token, appId, tenantKey, question, signal = never()) => {
    const { api } = question
    const epochReadAt = performance.now()
    const bucket = { appId, tenantKey, api, ...(await bucketOf(database.pool, appId, tenantKey, api)) }
    const granted = await slots.take(bucket, [{ id: randomUUID(), fence: 0 }])
    const [slot] = granted.slots
    if (slot === undefined) return { kind: 'no_slot', retryInMs: granted.retryInMs }
    // Another process that rebuilds the window meanwhile counts calls under this epoch only if they begin within `slackMs`.
    const mayWrite = () => isFresh(slot, performance.now()) && performance.now() <= epochReadAt + slackMs
    const ask = () => clientOf(appId).call(question, { token, signal, mayWrite })
    const reply = await (isTracing() ? traceCall(api, ask) : ask())
    const answeredAt = performance.now()
    const restMs = askedToRest(reply)
    if (reply.kind === 'answer' || reply.kind === 'lost') {
      const delivered = reply.kind === 'answer' && reply.code === 0
      options.onCall?.({ appId, tenantKey, api, msAgo: 0, delivered, limited: restMs !== null }, reply)
    }
    if (restMs !== null) await slots.close(bucket, restMs)
    if (reply.kind === 'answer') {
      await limiter.giveBack([{ slot, used: true, answeredMsAgo: performance.now() - answeredAt }])
    } else if (reply.kind !== 'lost') {
      await limiter.giveBack([{ slot, used: false }])
    }
    return reply
  }

  const ask: FeishuReads['ask'] = async (appId, tenantKey, question, signal) => {
    const answer = await tokens.tenantToken(appId, tenantKey)
    if (answer.kind !== 'token') {
      const { class: of, reason, retryInMs } = answer
      return { kind: 'no_token', class: of, reason, retryInMs }
    }
    const reply = await askWith(answer.token, appId, tenantKey, question, signal)
    if (reply.kind !== 'answer' || !refusedTokenCodes.has(reply.code)) return reply
    await tokens.evict(appId, tenantKey, answer.token, { alsoAppToken: false })
    const again = await tokens.tenantToken(appId, tenantKey)
    return again.kind === 'token' ? askWith(again.token, appId, tenantKey, question, signal) : reply
  }
  return { ask, askWith }
}

/** As the table of outcomes says of every call (contract §4.1); reads are few, so no more than the least without a time. */
function askedToRest(reply: FeishuReply): number | null {
  if (reply.kind !== 'answer' && reply.kind !== 'lost') return null
  const limited = reply.httpStatus === 429 || (reply.kind === 'answer' && limitCodes.has(reply.code))
  return limited ? Math.min(Math.max(reply.resetMs ?? shortestRestMs, shortestRestMs), longestRestMs) : null
}

const limitCodes = new Set(outcomeRows.filter(({ verdict }) => verdict.kind === 'slow_down').map(({ code }) => code))
const shortestRestMs = 1_000
const longestRestMs = 300_000

function never(): AbortSignal {
  return new AbortController().signal
}

/** Contract §4.3. */
export const refusedTokenCodes: ReadonlySet<number> = new Set([
  99991661, 99991663, 99991664, 99991665, 99991668, 99991671,
])

/** From an epoch's reading to the first byte of a call that was granted under it. */
const slackMs = 5000

/** Reads leave no rows: a lost window counts as full of calls that may still arrive, except a bucket's first ('' before). */
function usesOfReads(timeoutMs: number) {
  return async (
    _bucket: Bucket,
    windows: readonly RateWindow[],
    _except: readonly string[],
    before: string,
  ): Promise<KnownUse[]> => {
    if (before === '') return []
    const most = Math.max(...windows.map((window) => window.limit))
    return Array.from({ length: most }, (_, index) => ({ name: `lost-${index}`, arrivesWithinMs: timeoutMs + slackMs }))
  }
}
