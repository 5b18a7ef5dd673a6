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
    const { [callHeader]: id, ...headers } = readHeaders(options.headers)
    const pending = this.#pending.get(id ?? '')
    if (pending === undefined) throw new Error('the Feishu SDK made a call of its own')
    const method = (options.method ?? 'GET').toUpperCase()
    const body = method === 'GET' || method === 'DELETE' ? undefined : JSON.stringify(options.data ?? {})
    const url = withQuery(options.url ?? '', options.params)
    pending.reply = readReply(
      await this.#http.send({ method, url, headers: headersFor(headers, body), ...withBody(body) }, pending),
    )
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
  const say = (level: string) => () => log?.warn({ event: 'feishu_sdk_complaint', level }, 'the Feishu SDK complained')
  const nothing = () => undefined
  return { error: say('error'), warn: say('warn'), info: nothing, debug: nothing, trace: nothing }
}

function readHeaders(headers: Record<string, unknown> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}

function headersFor(headers: Record<string, string>, body: string | undefined): Record<string, string> {
  return body === undefined ? headers : { ...headers, 'content-type': 'application/json; charset=utf-8' }
}

function withBody(body: string | undefined): { body?: string } {
  return body === undefined ? {} : { body }
}

function withQuery(url: string, params: Record<string, unknown> = {}): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) query.set(name, String(value))
  return query.size === 0 ? url : `${url}?${query.toString()}`
}
