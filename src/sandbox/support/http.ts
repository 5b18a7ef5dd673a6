import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { now } from './clock.js'

export type Incoming = {
  /** When the head of the request was read: the moment that counts for rate limits. */
  arrivedAt: number
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingHttpHeaders
  body(): Promise<Buffer>
}

export type Reply =
  | { status: number; headers?: Record<string, string>; body: string | Buffer }
  /** Never answers: the caller's timeout has to end the call. */
  | 'hang'
  /** Breaks the connection with a TCP reset. */
  | 'reset'

/** `answered` is false when the caller was gone, or when nothing was sent. */
export type Handled = { reply: Reply; done: (answered: boolean) => void }
export type Handler = (incoming: Incoming) => Promise<Handled>

export type HttpServer = { url: string; port: number; stop(): Promise<void> }

/** A bare HTTP server: `handler` is called as soon as the head of a request is read, before its body. */
export async function startHttp(handler: Handler, { host, port }: { host: string; port: number }): Promise<HttpServer> {
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => void serve(handler, request, response))
  // Idle connections stay: one that the server closes just as a call goes out looks like a lost answer.
  server.keepAliveTimeout = 120_000
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE'
      reject(taken ? new Error(`port ${port} on ${host} is taken; choose another`) : error)
    })
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return { url: `http://${name}:${address.port}`, port: address.port, stop: () => close(server, sockets) }
}

function close(server: ReturnType<typeof createServer>, sockets: Set<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    for (const socket of sockets) socket.destroy()
  })
}

async function serve(handler: Handler, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const url = new URL(request.url ?? '/', 'http://sandbox')
    const handled = await handler({
      arrivedAt: now(),
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: () => readAll(request),
    })
    answer(handled, request, response)
  } catch (error) {
    // A request that was cut off while its body was read, or a fault of the sandbox itself: say so, do not hang.
    if (response.headersSent || request.socket.destroyed) return
    response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' })
    response.end(`the sandbox itself failed: ${error instanceof Error ? error.stack : String(error)}`)
  }
}

function answer({ reply, done }: Handled, request: IncomingMessage, response: ServerResponse): void {
  if (reply === 'hang') {
    done(false)
    return
  }
  if (reply === 'reset') {
    request.socket.resetAndDestroy()
    done(false)
    return
  }
  if (request.socket.destroyed) {
    done(false)
    return
  }
  const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : reply.body
  response.writeHead(reply.status, { 'content-length': String(body.length), ...reply.headers })
  response.end(body)
  done(true)
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

export function jsonReply(status: number, body: unknown, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  }
}
