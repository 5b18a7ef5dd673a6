import { readRetryAfter } from '../flow/vendor/http-errors.js'
import { createHttpClient, type HttpAnswer, type HttpClient } from '../platform/http-call.js'
import type { ProxySettings } from '../platform/proxy.js'
import type { HttpVendorToCheck, Terms } from './options.js'

export type WireAnswer = Extract<HttpAnswer, { kind: 'answer' }>

/** The vendor's HTTP without the adapter between, for what only the wire shows. */
export interface Wire {
  readonly base: URL
  /** `path` begins below the base URL. `key`: another one than the right one, or none. */
  ask(method: 'GET' | 'POST', path: string, more?: WireQuestion): Promise<HttpAnswer>
  /** A link of the vendor's, as a stranger fetches it: without any key. */
  fetch(method: 'GET' | 'HEAD', url: URL, range?: string): Promise<HttpAnswer>
  stop(): void
}

interface WireQuestion {
  key?: string | null
  body?: unknown
  idempotencyKey?: string
}

const mostTries = 5

export function openWire(http: HttpVendorToCheck, proxy: ProxySettings, terms: Terms): Wire {
  const { baseUrl, apiKey, ca } = http
  const client = createHttpClient({ proxy, ...(ca !== undefined && { ca }) })
  const base = new URL(baseUrl)
  const below = base.origin + base.pathname.replace(/\/+$/, '')
  return {
    base,
    ask: (method, path, { key = apiKey, body, idempotencyKey } = {}) => {
      const headers = headersOf(key, body, idempotencyKey)
      const text = body === undefined ? {} : { body: JSON.stringify(body) }
      const request = { method, url: new URL(below + path), headers, timeoutMs: terms.timeoutMs, ...text }
      return patiently(() => client.call(request), terms)
    },
    fetch: (method, url, range) => fetchWith(client, method, url, terms.timeoutMs, range),
    stop: () => client.stop(),
  }
}

/** What fetches links where there is no vendor's address. */
export function openFetch(proxy: ProxySettings, terms: Terms): Pick<Wire, 'fetch' | 'stop'> {
  const client = createHttpClient({ proxy })
  return {
    fetch: (method, url, range) => fetchWith(client, method, url, terms.timeoutMs, range),
    stop: () => client.stop(),
  }
}

function fetchWith(client: HttpClient, method: string, url: URL, timeoutMs: number, range?: string) {
  const headers = {
    accept: 'application/pdf, text/html;q=0.5',
    'accept-encoding': 'identity',
    'user-agent': 'bgc-bridge',
    ...(range !== undefined && { range }),
  }
  return client.call({ method, url, headers, timeoutMs })
}

function headersOf(key: string | null, body: unknown, idempotencyKey: string | undefined): Record<string, string> {
  return {
    accept: 'application/json',
    'accept-encoding': 'identity',
    'user-agent': 'bgc-bridge',
    ...(key !== null && { authorization: `Bearer ${key}` }),
    ...(body !== undefined && { 'content-type': 'application/json; charset=utf-8' }),
    ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
  }
}

async function patiently(call: () => Promise<HttpAnswer>, { pause, isOver }: Terms): Promise<HttpAnswer> {
  for (let tries = 1; ; tries += 1) {
    const answer = await call()
    if (answer.kind !== 'answer' || answer.status !== 429 || tries >= mostTries || isOver()) return answer
    await pause(Math.min(readRetryAfter(answer.headers['retry-after'], Date.now()) ?? 1000, 60_000))
  }
}

/** The JSON of an answer; undefined when it is none. */
export function jsonOf({ body }: WireAnswer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    // What cannot be read is what the caller asks about.
    return undefined
  }
}

/** Only this machine: a test on it needs neither TLS nor public links. */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
}
