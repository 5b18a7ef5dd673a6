import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { createRoutes } from '../../platform/http-routes.js'
import { type ProxyChoice, portOf } from '../../platform/proxy.js'
import { isLocalName, pin, type Resolve } from './file-addresses.js'
import { bareHost } from './file-target.js'

export interface HopTerms {
  proxyFor: ProxyChoice
  resolve: Resolve
  isPublic?: (address: string) => boolean
  /** Certificates in PEM to trust instead of the usual ones. */
  ca?: string
}

export interface Hop {
  url: URL
  own: boolean
  headers: Readonly<Record<string, string>>
  /** Ends the call, and the body when that is being read. */
  signal: AbortSignal
}

export type Hopped =
  | { kind: 'response'; response: IncomingMessage }
  | { kind: 'not_public' }
  | { kind: 'failed'; message: string }

/** One GET, on a connection of its own, up to the head of its answer. Never throws, follows nothing. */
export async function hop(asked: Hop, terms: HopTerms): Promise<Hopped> {
  const { url, own, signal } = asked
  const proxy = terms.proxyFor(url)
  if (proxy !== null) {
    const allowed = own || (await mayAskProxy(bareHost(url), terms))
    return allowed ? exchange(() => throughProxy(asked, proxy, terms), signal) : { kind: 'not_public' }
  }
  if (own) return exchange(() => direct(asked, terms), signal)
  const pinned = await pin(bareHost(url), terms.resolve, terms.isPublic)
  if (pinned.kind === 'refused') return { kind: 'not_public' }
  if (pinned.kind === 'unknown') return { kind: 'failed', message: 'the name of the link cannot be resolved' }
  return exchange(() => direct(asked, terms, pinned.lookup), signal)
}

/**
 * A proxy resolves the name anew, so the address cannot be pinned: what is not public here is refused, and where the name
 * is not known here, what speaks of a private network. The rest is the proxy's to judge.
 */
async function mayAskProxy(host: string, { resolve, isPublic }: HopTerms): Promise<boolean> {
  const pinned = await pin(host, resolve, isPublic)
  return pinned.kind === 'unknown' ? isIP(host) === 0 && !isLocalName(host) : pinned.kind === 'pinned'
}

function direct({ url, headers, signal }: Hop, { ca }: HopTerms, lookup?: LookupFunction): ClientRequest {
  const options: https.RequestOptions = {
    protocol: url.protocol,
    host: bareHost(url),
    port: portOf(url),
    path: url.pathname + url.search,
    headers: { host: url.host, ...headers },
    // A kept connection would be one whose address was judged for somebody else's link.
    agent: false,
    signal,
    ...(lookup && { lookup }),
    ...(ca === undefined ? {} : { ca }),
  }
  return url.protocol === 'https:' ? https.request(options) : http.request(options)
}

function throughProxy({ url, headers, signal }: Hop, proxy: URL, { ca }: HopTerms): ClientRequest {
  const route = createRoutes(() => proxy, ca).to(url)
  const wire = route.open({ method: 'GET', url, headers: { ...headers }, givenUp: signal, fresh: true })
  const giveUp = () => wire.destroy()
  signal.addEventListener('abort', giveUp, { once: true })
  wire.once('close', () => signal.removeEventListener('abort', giveUp))
  return wire
}

/** The first thing that happens decides. */
function exchange(write: () => ClientRequest, signal: AbortSignal): Promise<Hopped> {
  return new Promise((resolve) => {
    const failed = (what: string) => resolve({ kind: 'failed', message: what })
    if (signal.aborted) return failed('the call was given up')
    let wire: ClientRequest
    try {
      wire = write()
    } catch (error) {
      return failed(`the request cannot be made (${codeOf(error)})`)
    }
    let refusedByProxy = false
    wire.on('proxyConnect', (tunnel: { statusCode: number }) => {
      refusedByProxy = tunnel.statusCode !== 200
    })
    // After the answer it is the body that fails; its reader hears of that.
    wire.on('error', (error) => failed(`no answer (${codeOf(error)})`))
    wire.on('response', (response) => {
      if (!refusedByProxy && response.statusCode !== 407) return resolve({ kind: 'response', response })
      failed('the proxy refused the call')
      response.destroy()
    })
    wire.end()
  })
}

/** The code alone: messages of errors may quote what was sent. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
}
