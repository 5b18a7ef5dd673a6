import { type Agent, type ClientRequestArgs, Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { connect as connectTcp, isIP, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'

export interface ConnectionOptions {
  secure: boolean
  proxy: URL | null
  /** Until the connection can be written to, with the proxy and TLS. */
  connectTimeoutMs: number
  /** An unused connection is closed after this long: before the other side does, if possible. */
  idleMs: number
}

/** Passed through `http.request`: whether the call that asked for a connection is still to be written. */
export interface CallArguments extends ClientRequestArgs {
  mayWrite?: (() => boolean) | undefined
}

export class Withdrawn extends Error {
  override readonly name = 'Withdrawn'
}

type Deliver = (error: Error | null, socket: Duplex) => void

/**
 * A keep-alive pool that hands out connections only when they can be written to. A call that was withdrawn while its
 * connection was made leaves the connection for the next one: where connecting takes longer than a rate slot lives,
 * every call would be withdrawn for ever otherwise.
 */
export function createConnections(options: ConnectionOptions): { agent: Agent; stop: () => void } {
  const settings = { keepAlive: true, timeout: options.idleMs, maxFreeSockets: 1024 }
  const agent: Agent = options.secure ? new HttpsAgent(settings) : new HttpAgent(settings)
  const unused = new Set<Socket>()
  agent.createConnection = (target, deliver) => {
    const ready = take(unused)
    const connection = ready ? Promise.resolve(ready) : connect(target, options)
    connection.then(
      (socket) => handOver(socket, target, unused, options.idleMs, deliver),
      (error: unknown) =>
        deliver?.(error instanceof Error ? error : new Error('no connection', { cause: error }), new Socket()),
    )
    return undefined
  }
  const stop = () => {
    agent.destroy()
    for (const socket of unused) socket.destroy()
  }
  return { agent, stop }
}

function take(unused: Set<Socket>): Socket | undefined {
  for (const socket of unused) {
    unused.delete(socket)
    if (!socket.destroyed && socket.writable) return socket
  }
  return undefined
}

function handOver(socket: Socket, target: CallArguments, unused: Set<Socket>, idleMs: number, deliver?: Deliver) {
  if (target.mayWrite?.() !== false) return deliver?.(null, socket)
  unused.add(socket)
  const close = setTimeout(() => unused.delete(socket) && socket.destroy(), idleMs)
  close.unref()
  socket.once('close', () => {
    clearTimeout(close)
    unused.delete(socket)
  })
  deliver?.(new Withdrawn('withdrawn while its connection was made'), socket)
}

async function connect(target: ClientRequestArgs, options: ConnectionOptions): Promise<Socket> {
  const late = AbortSignal.timeout(options.connectTimeoutMs)
  const raw = options.proxy ? await tunnel(target, options.proxy, late) : await plain(target, late)
  if (!options.secure) return raw
  const host = String(target.host)
  const socket = connectTls({ socket: raw, host, servername: isIP(host) ? '' : host, ALPNProtocols: ['http/1.1'] })
  rawSockets.set(socket, raw)
  return ready(socket, 'secureConnect', late)
}

/** An RST can only be sent by the TCP socket below TLS. */
const rawSockets = new WeakMap<Socket, Socket>()

/** Ends a connection so that nothing of what was written arrives later: RST instead of FIN. */
export function reset(socket: Socket): void {
  const raw = rawSockets.get(socket) ?? socket
  if (!raw.destroyed) raw.resetAndDestroy()
  // On its own, resetAndDestroy waits until what was written has gone.
  raw.destroy()
  socket.destroy()
}

function plain(target: ClientRequestArgs, late: AbortSignal): Promise<Socket> {
  const socket = connectTcp({ host: String(target.host), port: Number(target.port) })
  socket.setNoDelay(true)
  return ready(socket, 'connect', late)
}

function ready(socket: Socket | TLSSocket, event: 'connect' | 'secureConnect', late: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // The request hears of an error by itself; without any listener one of an idle connection would end the process.
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
function tunnel(target: ClientRequestArgs, proxy: URL, late: AbortSignal): Promise<Socket> {
  const authority = `${String(target.host).includes(':') ? `[${target.host}]` : target.host}:${target.port}`
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
