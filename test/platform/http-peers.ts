import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Real servers on this machine for tests of what speaks HTTP; each ends with its test. */
export interface Peer {
  origin: string
  port: number
  seen: Seen[]
  /** TCP connections that were accepted. */
  connections: net.Socket[]
  /** What ended each connection: `ECONNRESET` after a reset, `closed` otherwise. */
  endings: string[]
}

interface Seen {
  method: string
  path: string
  headers: http.IncomingHttpHeaders
  body: string
}

export type Reply = (request: Seen, response: http.ServerResponse, socket: net.Socket) => void

export async function startPeer(reply: Reply, tls?: Certificate): Promise<Peer> {
  const seen: Seen[] = []
  const handle = async (request: http.IncomingMessage, response: http.ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array))
    const { method = '', url = '', headers, socket } = request
    const one = { method, path: url, headers, body: Buffer.concat(chunks).toString() }
    seen.push(one)
    reply(one, response, socket)
  }
  const listener = (request: http.IncomingMessage, response: http.ServerResponse) => {
    handle(request, response).catch(() => request.socket.destroy())
  }
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener)
  return { ...(await listen(server, tls ? 'https://localhost' : 'http://127.0.0.1')), seen }
}

export async function listen(server: net.Server, base: string): Promise<Omit<Peer, 'seen'>> {
  const connections: net.Socket[] = []
  const endings: string[] = []
  server.on('connection', (socket: net.Socket) => connections.push(socket))
  // Below TLS, Node reports a reset to the socket above alone.
  server.on(server instanceof https.Server ? 'secureConnection' : 'connection', (socket: net.Socket) => {
    let ending = 'closed'
    socket.on('error', (error) => {
      ending = 'code' in error ? String(error.code) : 'error'
    })
    socket.on('close', () => endings.push(ending))
  })
  await new Promise<void>((resolve) =>
    server.listen(0, base.includes('localhost') ? 'localhost' : '127.0.0.1', resolve),
  )
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  onTestFinished(() => {
    for (const socket of connections) socket.destroy()
    server.close()
  })
  return { origin: `${base}:${port}`, port, connections, endings }
}

export interface Proxy extends Peer {
  tunnels: string[]
}

/** A proxy that makes tunnels and forwards requests in absolute form. */
export async function startProxy(refuse?: number): Promise<Proxy> {
  const seen: Seen[] = []
  const tunnels: string[] = []
  const server = http.createServer((request, response) => {
    const { method = '', url = '', headers } = request
    seen.push({ method, path: url, headers, body: '' })
    if (refuse !== undefined) {
      response.writeHead(refuse).end()
      return
    }
    const onward = http.request(new URL(url), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
  server.on('connect', (request, near: net.Socket) => {
    tunnels.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim())
    if (refuse === undefined) tunnel(near, Number(request.url?.split(':').at(-1)))
    else near.end(`HTTP/1.1 ${refuse} No\r\ncontent-length: 5\r\n\r\nvalue`)
  })
  return { ...(await listen(server, 'http://127.0.0.1')), seen, tunnels }
}

function tunnel(near: net.Socket, port: number): void {
  const far = net.connect(port, 'localhost', () => {
    near.write('HTTP/1.1 200 OK\r\n\r\n')
    near.pipe(far).pipe(near)
  })
  far.on('error', () => near.destroy())
  near.on('error', () => far.resetAndDestroy())
}

export interface Certificate {
  key: string
  cert: string
}

let certificate: Certificate | null | undefined

/** A certificate for localhost that nobody trusts; `null` where there is no openssl to make one. */
export function selfSigned(): Certificate | null {
  if (certificate === undefined) certificate = makeCertificate()
  return certificate
}

function makeCertificate(): Certificate | null {
  const directory = mkdtempSync(join(tmpdir(), 'bgc-tls-'))
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const wanted =
    '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost'
  try {
    execFileSync('openssl', ['req', '-x509', '-keyout', key, '-out', cert, ...wanted.split(' ')], { stdio: 'ignore' })
  } catch {
    return null
  }
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}
