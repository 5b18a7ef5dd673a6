import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { createRequire } from 'node:module'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Client, Dispatcher } from 'undici'

export interface ConnectionOptions {
  target: URL
  proxy: URL | null
  /** Until the connection can be written to, with the proxy and TLS. */
  connectTimeoutMs: number
  /** An unused connection is closed after this long: before the other side does, if possible. */
  idleMs: number
}

/** One call at a time; its connection is made when a call needs one, and stays for the next call. */
export interface Line {
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void
  /** Ends the connection so that nothing of what was written arrives later. */
  reset(): void
}

/** Lines that nobody uses; as many are in use as calls are under way. */
export interface Lines {
  take(): Line
  /** When its call is over, whatever became of it. */
  giveBack(line: Line): void
  stop(): Promise<void>
}

const mostFree = 1024
/** A connection that the other side announces to keep so much longer only could be closed while a call is on its way. */
const announcedLessMs = 1000

/** The line used last goes out first, so that few connections carry what a little traffic needs and the others close. */
export function createLines(options: ConnectionOptions): Lines {
  const free: ClientLine[] = []
  const all = new Set<ClientLine>()
  const take = () => {
    const line = free.pop() ?? new ClientLine(options)
    all.add(line)
    return line
  }
  const giveBack = (line: ClientLine) => {
    if (free.length < mostFree) return void free.push(line)
    all.delete(line)
    // What it still has is a connection that nobody uses.
    line.stop().catch(() => undefined)
  }
  const stop = async () => {
    await Promise.all([...all].map((line) => line.stop()))
  }
  return { take, giveBack, stop }
}

const load = createRequire(import.meta.url)

/**
 * This file of undici alone: its index also loads a `fetch` and a cache, 80 ms and 9 MB, and puts its own agent below
 * the `fetch` of Node. The path is none of undici's promises, so its version is fixed.
 */
function loadClient(): typeof Client {
  return load('undici/lib/dispatcher/client.js') as typeof Client
}

/** undici's client, which speaks HTTP/1.1 over one connection, on connections that are made here. */
class ClientLine implements Line {
  readonly #client: Client
  #socket: Socket | undefined

  constructor(options: ConnectionOptions) {
    const idle = { keepAliveTimeout: options.idleMs, keepAliveMaxTimeout: options.idleMs }
    this.#client = new (loadClient())(options.target.origin, {
      ...idle,
      keepAliveTimeoutThreshold: announcedLessMs,
      pipelining: 1,
      // The call's own timer ends it.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_target, deliver) => {
        connect(options).then(
          (socket) => {
            this.#socket = socket
            deliver(null, socket)
          },
          (error: unknown) =>
            deliver(error instanceof Error ? error : new Error('no connection', { cause: error }), null),
        )
      },
    })
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler)
  }

  reset(): void {
    if (this.#socket) reset(this.#socket)
  }

  stop(): Promise<void> {
    return this.#client.destroy()
  }
}

async function connect(options: ConnectionOptions): Promise<Socket> {
  const late = AbortSignal.timeout(options.connectTimeoutMs)
  const target = { host: bare(options.target.hostname), port: portOf(options.target) }
  const raw = options.proxy ? await tunnel(target, options.proxy, late) : await plain(target, late)
  if (options.target.protocol !== 'https:') return raw
  const { host } = target
  const socket = connectTls({ socket: raw, host, servername: isIP(host) ? '' : host, ALPNProtocols: ['http/1.1'] })
  rawSockets.set(socket, raw)
  return ready(socket, 'secureConnect', late)
}

interface Target {
  host: string
  port: number
}

function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1')
}

function portOf({ port, protocol }: URL): number {
  if (port !== '') return Number(port)
  return protocol === 'https:' ? 443 : 80
}

/** An RST can only be sent by the TCP socket below TLS. */
const rawSockets = new WeakMap<Socket, Socket>()

/** RST instead of FIN. */
function reset(socket: Socket): void {
  const raw = rawSockets.get(socket) ?? socket
  if (!raw.destroyed) raw.resetAndDestroy()
  // On its own, resetAndDestroy waits until what was written has gone.
  raw.destroy()
  socket.destroy()
}

function plain(target: Target, late: AbortSignal): Promise<Socket> {
  const socket = connectTcp(target)
  socket.setNoDelay(true)
  return ready(socket, 'connect', late)
}

function ready(socket: Socket | TLSSocket, event: 'connect' | 'secureConnect', late: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // The call hears of an error by itself; without any listener one of an idle connection would end the process.
    socket.on('error', reject)
    const giveUp = () => socket.destroy(new Error('no connection in time'))
    late.addEventListener('abort', giveUp, { once: true })
    socket.once(event, () => {
      late.removeEventListener('abort', giveUp)
      resolve(socket)
    })
  })
}

/** CONNECT, also for plain http: what the proxy answers can then not be mistaken for an answer of Feishu. */
function tunnel({ host, port }: Target, proxy: URL, late: AbortSignal): Promise<Socket> {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const headers = { host: authority, ...proxyCredentials(proxy) }
  const request = proxy.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const asking = request(proxy, { method: 'CONNECT', path: authority, headers, agent: false, signal: late })
    asking.once('connect', (answer, socket) => {
      socket.on('error', reject)
      if (answer.statusCode === 200) return resolve(socket)
      socket.destroy()
      reject(new Error(`the proxy answered ${answer.statusCode}`))
    })
    asking.once('response', (answer) => {
      answer.destroy()
      reject(new Error(`the proxy answered ${answer.statusCode}`))
    })
    asking.once('error', reject)
    asking.end()
  })
}

function proxyCredentials({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}
