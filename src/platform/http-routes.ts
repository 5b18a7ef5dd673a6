import http from 'node:http'
import https from 'node:https'
import { TlsAgent, TunnelAgent, type WithGivenUp } from './http-agents.js'
import { type ProxyChoice, portOf } from './proxy.js'

/** How requests to one origin travel: directly, through a tunnel (https), or by a proxy that forwards (http). */
export interface Route {
  /** Whether a TLS handshake comes before the first byte of a request. */
  secure: boolean
  proxied: boolean
  /** Makes a request. `givenUp` ends connections that are still being made; `fresh` takes no kept connection. */
  open(request: RouteRequest): http.ClientRequest
}

interface RouteRequest {
  method: string
  url: URL
  headers: http.OutgoingHttpHeaders
  givenUp: AbortSignal
  fresh: boolean
}

export interface Routes {
  to(url: URL): Route
  close(): void
}

export function createRoutes(proxyFor: ProxyChoice, ca?: string): Routes {
  const routes = new Map<string, { route: Route; agent: http.Agent }>()
  const make = (url: URL) => {
    const proxy = proxyFor(url)
    const agentFor = (keepAlive: boolean) => makeAgent(url, proxy, keepAlive)
    const agent = agentFor(true)
    return { agent, route: makeRoute(url, proxy, ca, (fresh) => (fresh ? agentFor(false) : agent)) }
  }
  return {
    to: (url) => {
      const known = routes.get(url.origin) ?? make(url)
      routes.set(url.origin, known)
      return known.route
    },
    close: () => {
      for (const { agent } of routes.values()) agent.destroy()
    },
  }
}

function makeRoute(url: URL, proxy: URL | null, ca: string | undefined, agent: (fresh: boolean) => http.Agent): Route {
  const forwarded = proxy !== null && url.protocol === 'http:'
  const next = forwarded ? proxy : url
  const secure = next.protocol === 'https:'
  const open = (request: RouteRequest) => {
    const options: WithGivenUp = {
      ...addressOf(next),
      method: request.method,
      path: forwarded ? withoutFragment(request.url) : request.url.pathname + request.url.search,
      headers: { host: request.url.host, ...(forwarded ? credentialsOf(proxy) : {}), ...request.headers },
      agent: agent(request.fresh),
      givenUp: request.givenUp,
      ...(ca === undefined ? {} : { ca }),
    }
    return secure ? https.request(options) : http.request(options)
  }
  return { secure, proxied: proxy !== null, open }
}

/** Below the 5 s after which many servers close idle connections, so that a request seldom meets a closing one. */
const IDLE_MS = 4_000

function makeAgent(url: URL, proxy: URL | null, keepAlive: boolean): http.Agent {
  const options = { keepAlive, timeout: IDLE_MS }
  if (proxy !== null && url.protocol === 'https:') return new TunnelAgent(proxy, options)
  const next = proxy ?? url
  return next.protocol === 'https:' ? new TlsAgent(options) : new http.Agent(options)
}

function addressOf(url: URL): { protocol: string; host: string; port: number } {
  return { protocol: url.protocol, host: url.hostname.replace(/^\[|\]$/g, ''), port: portOf(url) }
}

function withoutFragment(url: URL): string {
  return `${url.origin}${url.pathname}${url.search}`
}

function credentialsOf(proxy: URL): http.OutgoingHttpHeaders {
  if (proxy.username === '' && proxy.password === '') return {}
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}
