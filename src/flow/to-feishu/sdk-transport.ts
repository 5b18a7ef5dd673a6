import type { HttpInstance, HttpRequestOptions, Logger as SdkLogger } from '@larksuiteoapi/node-sdk'
import type { FeishuHttp, HttpCall } from './feishu-http.js'
import { type FeishuReply, readReply } from './reply.js'

/** Carries the id of a call through the SDK, and is taken off before anything is sent. */
export const callHeader = 'bgc-call'

export interface SdkLog {
  warn(fields: Record<string, unknown>, message: string): void
}

interface Pending extends HttpCall {
  reply?: FeishuReply
}

/**
 * The SDK's `httpInstance`. It never rejects and hands the SDK an empty answer: the SDK would log what it gets in an
 * error. The true reply goes past the SDK, headers and all. Calls that the SDK makes on its own are refused.
 */
export class SdkTransport implements HttpInstance {
  readonly #http: FeishuHttp
  readonly #pending = new Map<string, Pending>()
  #lastId = 0

  constructor(http: FeishuHttp) {
    this.#http = http
  }

  async during(call: HttpCall, invoke: (callId: string) => Promise<unknown>): Promise<FeishuReply> {
    const id = String(++this.#lastId)
    const pending: Pending = { ...call }
    this.#pending.set(id, pending)
    try {
      await invoke(id)
    } finally {
      this.#pending.delete(id)
    }
    if (pending.reply === undefined) throw new Error('the Feishu SDK did not make the call')
    return pending.reply
  }

  async request<T, R = T, D = unknown>(options: HttpRequestOptions<D>): Promise<R> {
    const given: Record<string, unknown> = options.headers ?? {}
    const pending = this.#pending.get(String(given[callHeader]))
    if (pending === undefined) throw new Error('the Feishu SDK made a call of its own')
    const method = (options.method ?? 'GET').toUpperCase()
    const url = withQuery(options.url ?? '', options.params)
    const hasBody = method !== 'GET' && method !== 'DELETE'
    const request = { method, url, headers: headersFor(given, hasBody) }
    const sent = hasBody ? { ...request, body: JSON.stringify(options.data ?? {}) } : request
    pending.reply = readReply(await this.#http.send(sent, pending))
    return {} as R
  }

  get = <R>() => this.#refuse<R>()
  delete = <R>() => this.#refuse<R>()
  head = <R>() => this.#refuse<R>()
  options = <R>() => this.#refuse<R>()
  post = <R>() => this.#refuse<R>()
  put = <R>() => this.#refuse<R>()
  patch = <R>() => this.#refuse<R>()

  #refuse<R>(): Promise<R> {
    return Promise.reject(new Error('the Feishu SDK made a call of its own'))
  }
}

/** What the SDK logs may hold bodies and tokens, so only that it complained is passed on. */
export function silent(log?: SdkLog): SdkLogger {
  const say = (level: string) => () => log?.warn({ event: 'feishu.sdk_complaint', level }, 'the Feishu SDK complained')
  const nothing = () => undefined
  return { error: say('error'), warn: say('warn'), info: nothing, debug: nothing, trace: nothing }
}

/** The headers that are sent, in an object of their own; what the SDK passes is left as it is. */
function headersFor(headers: Record<string, unknown>, hasBody: boolean): Record<string, string> {
  const sent: Record<string, string> = {}
  for (const name of Object.keys(headers)) if (name !== callHeader) sent[name] = String(headers[name])
  if (hasBody) sent['content-type'] = 'application/json; charset=utf-8'
  return sent
}

function withQuery(url: string, params: Record<string, unknown> = {}): string {
  const names = Object.keys(params)
  if (names.length === 0) return url
  const query = new URLSearchParams()
  for (const name of names) query.set(name, String(params[name]))
  return `${url}?${query.toString()}`
}
