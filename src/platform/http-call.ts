import type { IncomingHttpHeaders } from 'node:http'
import { Exchange } from './http-exchange.js'
import { createRoutes } from './http-routes.js'
import { type ProxySettings, readProxies } from './proxy.js'

/**
 * One HTTP call and its one answer. Never throws, follows no redirects, and ends within `timeoutMs`, connecting and
 * reading included; a call that was given up is reset, so that nothing of it arrives later. Messages name the origin
 * and the kind of trouble, never headers, bodies or queries.
 */
export interface HttpClient {
  call(request: HttpRequest): Promise<HttpAnswer>
  stop(): void
}

export interface HttpRequest {
  method: string
  url: URL
  headers?: Readonly<Record<string, string>>
  body?: string | Buffer
  timeoutMs: number
  signal?: AbortSignal | undefined
}

export type HttpAnswer =
  | { kind: 'answer'; status: number; headers: IncomingHttpHeaders; body: Buffer }
  /** The request certainly did not reach the application. */
  | { kind: 'not_sent'; message: string }
  /** Bytes may have left, and no complete answer came. */
  | { kind: 'lost'; message: string }
  | { kind: 'too_large'; message: string }

export interface HttpClientSettings {
  proxy?: ProxySettings
  maxAnswerBytes?: number
  /** Certificates in PEM to trust instead of the usual ones. */
  ca?: string
}

const FIVE_MIB = 5 * 1024 * 1024

/** Keeps connections alive, for each origin its own. Throws when a proxy's address cannot be used. */
export function createHttpClient(settings: HttpClientSettings = {}): HttpClient {
  const routes = createRoutes(readProxies(settings.proxy), settings.ca)
  const maxAnswerBytes = settings.maxAnswerBytes ?? FIVE_MIB
  const call = async (request: HttpRequest) => {
    const deadline = startDeadline(request)
    const route = routes.to(request.url)
    const tryOnce = (fresh: boolean) => new Exchange(request, { route, deadline, maxAnswerBytes, fresh }).answer
    try {
      const ended = await tryOnce(false)
      // The server closed a kept connection just as we wrote: common, and harmless to repeat for a safe method.
      const repeat = ended.stale && isSafe(request.method) && !deadline.signal.aborted
      return repeat ? (await tryOnce(true)).answer : ended.answer
    } finally {
      deadline.stop()
    }
  }
  return { call, stop: () => routes.close() }
}

function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

export interface Deadline {
  /** Aborted when the time is over or the caller's signal says so; `reason` is a phrase for the message. */
  signal: AbortSignal
  stop(): void
}

/** Not AbortSignal.any: on Node 20 it keeps what it made for as long as the caller's signal lives. */
function startDeadline({ timeoutMs, signal }: HttpRequest): Deadline {
  const ended = new AbortController()
  const stopped = () => ended.abort('before it was stopped')
  const timer = setTimeout(() => ended.abort(`within ${timeoutMs} ms`), timeoutMs)
  if (signal?.aborted === true) stopped()
  else signal?.addEventListener('abort', stopped, { once: true })
  const stop = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stopped)
  }
  return { signal: ended.signal, stop }
}
