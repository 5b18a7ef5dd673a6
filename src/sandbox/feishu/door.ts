import { randomBytes } from 'node:crypto'
import { sleep } from '../support/clock.js'
import { complaints, parseObject, readable } from '../support/complaint.js'
import { type FaultAction, type FaultPlan, isLate, type Late, untilDue } from '../support/faults.js'
import { type Handled, type Incoming, jsonReply, type Reply } from '../support/http.js'
import type { Arrival, Windows } from '../support/windows.js'
import { type Answer, isTokenError, refuse } from './answers.js'
import { type Api, findRoute, type HireApiName, isAuth } from './apis.js'
import type { Auth } from './auth.js'
import { bodies } from './bodies.js'
import type { Directory } from './directory.js'
import type { CallRecord, Journal } from './journal.js'
import type { Settings } from './options.js'
import type { Caller } from './orders.js'
import type { Tokens } from './tokens.js'

export type FeishuCall = { api?: string; appId?: string; tenantKey?: string; backgroundCheckId?: string }
export type HireCall = { caller: Caller; body: unknown; query: Record<string, string>; params: Record<string, string> }

type Parts = {
  settings: Settings
  directory: Directory
  tokens: Tokens
  auth: Auth
  windows: Windows
  faults: FaultPlan<FeishuCall>
  journal: Journal
  /** What a call does once it is let in and its body is well formed. */
  effect: (name: HireApiName, call: HireCall) => Answer
}

/** What is known from the head of a request. */
type Entry = { api?: Api; params: Record<string, string>; refusal?: Answer }

/** Every call passes here: path, token, rate limit, faults, body, scope, effect, answer; and the journal sees it all. */
export class Door {
  #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async handle(incoming: Incoming): Promise<Handled> {
    const { journal } = this.#parts
    const query = Object.fromEntries(incoming.query)
    const record = journal.open({
      at: incoming.arrivedAt,
      method: incoming.method,
      path: incoming.path,
      query,
      logId: newLogId(),
    })
    // Before anything is awaited: arrivals count in the order in which they came.
    const entry = this.#enter(incoming, record)
    try {
      const raw = await incoming.body()
      const body = parseObject(raw)
      if (body.ok) note(record, body.value)
      const reply = await this.#reply(entry, incoming, record, raw)
      return { reply, done: (answered) => journal.close(record, answered && record.answered) }
    } catch (error) {
      // The caller hung up in the middle of its body.
      journal.close(record, false)
      throw error
    }
  }

  #enter(incoming: Incoming, record: CallRecord): Entry {
    const route = findRoute(incoming.method, incoming.path)
    if (route.found !== 'api') return { params: {}, refusal: noRoute(route.found, incoming) }
    const { api, params } = route
    record.api = api.name
    if (isAuth(api.name)) return { api, params }
    const caller = this.#identify(incoming.headers.authorization)
    if ('code' in caller) return { api, params, refusal: caller }
    Object.assign(record, caller)
    const over = this.#count(api, caller, incoming.arrivedAt)
    return over ? { api, params, refusal: over } : { api, params }
  }

  #identify(authorization: string | undefined): Caller | Answer {
    const { tokens, auth } = this.#parts
    const given = /^Bearer (.+)$/.exec(authorization ?? '')?.[1]
    if (given === undefined) return refuse('noToken', 'expected the header Authorization: Bearer <tenant_access_token>')
    if (given.startsWith('u-')) return refuse('userTokenInvalid')
    if (!/^[ta]-/.test(given)) return refuse('tokenMalformed')
    const token = tokens.find(given)
    if (token?.kind !== 'tenant' || token.tenantKey === undefined) return refuse('tenantTokenInvalid')
    const caller = { appId: token.appId, tenantKey: token.tenantKey }
    return auth.refusalFor(caller.tenantKey, caller.appId) ?? caller
  }

  #count(api: Api, { appId, tenantKey }: Caller, at: number): Answer | undefined {
    const { settings, windows } = this.#parts
    const limits = api.tier === 'slow' ? settings.slowRateLimits : settings.rateLimits
    const arrival = windows.arrive(`${appId}|${tenantKey}|${api.name}`, limits, at)
    return arrival.over ? this.#limited(arrival) : undefined
  }

  #limited({ limit, resetMs }: Extract<Arrival, { over: true }>): Answer {
    const { rateLimitHeaders } = this.#parts.settings.switches
    const answer = refuse('rateLimited')
    if (rateLimitHeaders === 'absent') return answer
    const seconds = resetMs / 1000
    const reset =
      rateLimitHeaders === 'fractional' ? (seconds + 0.0005).toFixed(3) : String(Math.max(1, Math.ceil(seconds)))
    return { ...answer, headers: { 'x-ogw-ratelimit-limit': String(limit), 'x-ogw-ratelimit-reset': reset } }
  }

  async #reply(entry: Entry, incoming: Incoming, record: CallRecord, raw: Buffer): Promise<Reply> {
    const { api, params, refusal } = entry
    if (refusal || !api) return this.#write(refusal ?? refuse('wrongPath'), record)
    const { latencyMs } = this.#parts.settings
    const fault = this.#parts.faults.take(callOf(record))
    if (fault) record.fault = 'apply' in fault && fault.apply ? `${fault.kind} after applying` : fault.kind
    if (fault && isLate(fault)) await untilDue(fault)
    if (latencyMs > 0) await sleep(latencyMs / 2)
    const happens = !fault || isLate(fault) || ('apply' in fault && fault.apply)
    const answer = happens ? this.#apply(api, params, incoming, record, raw) : undefined
    if (answer) record.applied = answer.applied
    if (latencyMs > 0) await sleep(latencyMs / 2)
    if (fault && !isLate(fault)) return this.#play(fault, record)
    return this.#write(answer ?? refuse('systemError'), record)
  }

  #apply(api: Api, params: Record<string, string>, incoming: Incoming, record: CallRecord, raw: Buffer): Answer {
    const { auth, effect } = this.#parts
    const body = readBody(api, incoming, raw)
    if ('code' in body) return body
    if (isAuth(api.name)) return auth.handle(api.name, body.value)
    const { appId, tenantKey } = record
    if (appId === undefined || tenantKey === undefined) return refuse('noToken')
    const missing = this.#missingScope(api, appId)
    if (missing) return missing
    return effect(api.name, { caller: { appId, tenantKey }, body: body.value, query: record.query, params })
  }

  #missingScope(api: Api, appId: string): Answer | undefined {
    const { directory, settings } = this.#parts
    const granted = directory.app(appId).scopes
    const readsOff = api.name.startsWith('background_check_orders.') && !settings.switches.orderReads
    if (!readsOff && api.scopes.some((scope) => granted.includes(scope))) return undefined
    const violations = api.scopes.map((subject) => ({ type: 'action_scope_required', subject }))
    return refuse('missingScope', `[${api.scopes.join(', ')}]`, { permission_violations: violations })
  }

  #play(fault: Exclude<FaultAction, Late>, record: CallRecord): Reply {
    switch (fault.kind) {
      case 'hang':
      case 'reset':
        return fault.kind
      case 'garbage':
        record.httpStatus = 200
        return { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>upstream said {"code":' }
      case 'server_error':
        return this.#write(refuse('systemError'), record)
      case 'token_expired':
        return this.#write(refuse('tenantTokenInvalid'), record)
      case 'rate_limited': {
        const reset = fault.resetSeconds === undefined ? {} : { 'x-ogw-ratelimit-reset': String(fault.resetSeconds) }
        return this.#write({ ...refuse('rateLimited'), headers: reset }, record)
      }
      case 'answer': {
        const { httpStatus: http, code = 0, msg = 'a planned fault', headers = {} } = fault
        return this.#write({ code, http, msg, headers, applied: false }, record, http)
      }
    }
  }

  /** A planned answer keeps its own status; all others go through the switches. */
  #write(answer: Answer, record: CallRecord, status = this.#statusOf(answer)): Reply {
    const { code, msg, data, flat, error, headers } = answer
    Object.assign(record, { code, msg, httpStatus: status, answered: true })
    const failure = code === 0 ? {} : { error: { log_id: record.logId, ...error } }
    const content = code === 0 ? (flat ?? { data: data ?? {} }) : failure
    return jsonReply(status, { code, msg, ...content }, { 'X-Tt-Logid': record.logId, ...headers })
  }

  #statusOf({ code, http }: Answer): number {
    const { rateLimitStatus, tokenErrorHttp, businessErrorHttp } = this.#parts.settings.switches
    if (code === 99991400) return rateLimitStatus
    if (isTokenError(code)) return code === 99991672 && tokenErrorHttp === 400 ? http : tokenErrorHttp
    return http === 400 ? businessErrorHttp : http
  }
}

type ReadBody = { value: unknown } | Answer

function readBody(api: Api, incoming: Incoming, raw: Buffer): ReadBody {
  // GET and DELETE take none; the official SDK sends an empty object with them.
  if (api.method === 'GET' || api.method === 'DELETE') return { value: undefined }
  const type = incoming.headers['content-type'] ?? ''
  if (!/^application\/json\b/i.test(type)) {
    return refuse('invalidField', `Content-Type: expected application/json; it came as ${type || 'nothing'}`)
  }
  const parsed = parseObject(raw)
  if (!parsed.ok) return refuse('invalidField', parsed.reason)
  if (!(api.name in bodies)) return { value: parsed.value }
  const checked = bodies[api.name as keyof typeof bodies].safeParse(parsed.value)
  if (checked.success) return { value: checked.data }
  const wrong = complaints(checked.error, parsed.value)
  return refuse('invalidField', readable(wrong), { field_violations: wrong })
}

function note(record: CallRecord, body: unknown): void {
  const secretless = record.api?.startsWith('auth.') ? withoutSecrets(body) : body
  record.body = secretless
  const { background_check_id: id, app_id: appId } = body as Record<string, unknown>
  if (typeof id === 'string') record.backgroundCheckId = id
  if (typeof appId === 'string' && record.api?.startsWith('auth.')) record.appId = appId
}

function withoutSecrets(body: unknown): unknown {
  const entries = Object.entries(body as Record<string, unknown>)
  return Object.fromEntries(entries.filter(([name]) => name === 'app_id' || name === 'tenant_key'))
}

function callOf({ api, appId, tenantKey, backgroundCheckId }: CallRecord): FeishuCall {
  return {
    ...(api === undefined ? {} : { api }),
    ...(appId === undefined ? {} : { appId }),
    ...(tenantKey === undefined ? {} : { tenantKey }),
    ...(backgroundCheckId === undefined ? {} : { backgroundCheckId }),
  }
}

function noRoute(found: 'wrong_path' | 'wrong_method', { method, path }: Incoming): Answer {
  return refuse(found === 'wrong_path' ? 'wrongPath' : 'wrongMethod', `${method} ${path}`)
}

function newLogId(): string {
  const stamp = new Date().toISOString().replaceAll(/\D/g, '')
  return `${stamp}${randomBytes(8).toString('hex').toUpperCase()}`
}
