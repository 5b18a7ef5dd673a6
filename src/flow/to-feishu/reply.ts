import type { IncomingHttpHeaders } from 'node:http'
import type { HttpReply } from './feishu-http.js'

export type FeishuReply = FeishuAnswer | FeishuLost | { kind: 'not_sent'; message: string } | { kind: 'withdrawn' }

/** Feishu's own words are left out on purpose: they are foreign text that may repeat what was sent. */
export interface FeishuAnswer {
  kind: 'answer'
  httpStatus: number
  code: number
  logId?: string
  /** From `x-ogw-ratelimit-reset`, as it came: not clamped. */
  resetMs?: number
  data?: unknown
  /** The scopes that the app lacks, where Feishu lists them. */
  missingScopes?: string[]
}

/** The request may have reached Feishu. With a status: an answer came and could not be read. */
export interface FeishuLost {
  kind: 'lost'
  message: string
  httpStatus?: number
  logId?: string
  resetMs?: number
}

type Fields = Record<string, unknown>

export function readReply(reply: HttpReply): FeishuReply {
  if (reply.kind === 'lost') {
    const status = reply.status === undefined ? {} : { httpStatus: reply.status }
    return { kind: 'lost', message: reply.message, ...status, ...factsOf(reply.headers ?? {}) }
  }
  if (reply.kind !== 'answer') return reply
  const body = parseObject(reply.body)
  const facts = { httpStatus: reply.status, ...factsOf(reply.headers) }
  if (!Number.isSafeInteger(body?.code))
    return { kind: 'lost', message: 'an answer that is not in Feishu’s form', ...facts }
  return { kind: 'answer', ...facts, code: Number(body?.code), ...contentOf(body ?? {}) }
}

/** Null when it is not the JSON of an object. */
export function parseObject(body: Buffer): Fields | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

export function factsOf(headers: IncomingHttpHeaders): { logId?: string; resetMs?: number } {
  const logId = String(headers['x-tt-logid'] ?? '')
  const reset = Number(headers['x-ogw-ratelimit-reset'] ?? Number.NaN)
  return {
    ...(/^[\w-]{1,128}$/.test(logId) ? { logId } : {}),
    ...(Number.isFinite(reset) && reset > 0 ? { resetMs: reset * 1000 } : {}),
  }
}

function contentOf(body: Fields): Pick<FeishuAnswer, 'data' | 'missingScopes'> {
  const error = isObject(body.error) ? body.error : {}
  const violations = Array.isArray(error.permission_violations) ? error.permission_violations : []
  const missingScopes = violations
    .map((violation: unknown) => (isObject(violation) ? violation.subject : null))
    .filter((scope) => typeof scope === 'string' && /^[a-z][\w.-]*(:[\w.-]+)+$/.test(scope))
    .slice(0, 20) as string[]
  return {
    ...(body.data === undefined ? {} : { data: body.data }),
    ...(missingScopes.length > 0 ? { missingScopes } : {}),
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
