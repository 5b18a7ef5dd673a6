import type http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { HttpsProxyAgent } from 'https-proxy-agent'

/** `givenUp` ends a connection that is still being made: until a request has a socket, nothing else can. */
export type WithGivenUp = https.RequestOptions & { givenUp?: AbortSignal }

type Made = (error: Error | null, socket?: Duplex) => void

type TunnelOptions = Parameters<HttpsProxyAgent<string>['connect']>[1]

/** The TCP sockets below TLS ones: `resetAndDestroy` refuses a TLS socket (ERR_INVALID_HANDLE_TYPE). */
const tcpBelow = new WeakMap<Duplex, net.Socket>()

/** Closes at once with a reset, so that nothing still in a buffer arrives later. */
export function reset(socket: Duplex): void {
  const tcp = tcpBelow.get(socket) ?? (socket instanceof net.Socket ? socket : undefined)
  if (tcp !== undefined && !tcp.connecting && !tcp.destroyed) tcp.resetAndDestroy()
  // On its own, resetAndDestroy waits until what was written has gone.
  tcp?.destroy()
  socket.destroy()
}

/** Connects first and speaks TLS on top, so that the socket below is known. */
export class TlsAgent extends https.Agent {
  override createConnection(options: WithGivenUp, callback?: (error: Error | null, socket: Duplex) => void) {
    // Node calls back with an error alone, which its types do not say.
    const made = callback as Made | undefined
    const tcp = net.connect({
      host: options.host ?? 'localhost',
      port: Number(options.port),
      ...(options.givenUp === undefined ? {} : { signal: options.givenUp }),
    })
    const failed = (error: Error) => made?.(error)
    tcp.once('error', failed)
    tcp.once('connect', () => {
      tcp.off('error', failed)
      made?.(null, this.#secure(tcp, options))
    })
    return undefined
  }

  #secure(tcp: net.Socket, options: WithGivenUp): Duplex {
    const withSocket: https.RequestOptions & { socket: net.Socket } = { ...options, socket: tcp }
    const secure = super.createConnection(withSocket) ?? tcp
    tcpBelow.set(secure, tcp)
    return secure
  }
}

/** A tunnel through a proxy that remembers the socket below TLS and can be given up while it is being made. */
export class TunnelAgent extends HttpsProxyAgent<string> {
  constructor(proxy: URL, options: { keepAlive: boolean; timeout: number }) {
    super(proxy, { keepAlive: options.keepAlive })
    this.options.timeout = options.timeout
  }

  override async connect(request: http.ClientRequest, options: TunnelOptions): Promise<net.Socket> {
    const { givenUp } = options as TunnelOptions & WithGivenUp
    if (givenUp !== undefined) this.connectOpts = { ...this.connectOpts, signal: givenUp }
    let tcp: net.Socket | undefined
    request.once('proxy', (event: { socket: net.Socket }) => {
      tcp = event.socket
    })
    const socket = await super.connect(request, options)
    if (tcp !== undefined) tcpBelow.set(socket, tcp)
    return socket
  }
}
