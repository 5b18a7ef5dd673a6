import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Where a test takes the public internet to be: another address of this machine than its private ones. */
export const publicly = '127.0.0.2'
export const privately = '127.0.0.1'
export const isPublic = (address: string): boolean => address === publicly

export interface FileHost {
  port: number
  seen: IncomingMessage[]
  sockets: Set<Socket>
}

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A server of files on one address; it ends with its test. Without a certificate it speaks plain HTTP. */
export async function startFileHost(answer: Answer, address = publicly, tls?: Tls): Promise<FileHost> {
  const seen: IncomingMessage[] = []
  const sockets = new Set<Socket>()
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    seen.push(request)
    answer(request, response)
  }
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // Readers go away in the middle: that is what is tested.
    socket.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const bound = server.address()
  return { port: typeof bound === 'object' && bound !== null ? bound.port : 0, seen, sockets }
}

export interface Tls {
  key: string
  cert: string
}

let made: Tls | undefined

/** A certificate for every host below example.com and for localhost, to trust by `ca`. */
export function certificate(): Tls {
  made ??= makeCertificate()
  return made
}

function makeCertificate(): Tls {
  const directory = mkdtempSync(join(tmpdir(), 'bgc-files-'))
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const names = 'subjectAltName=DNS:*.example.com,DNS:localhost,IP:127.0.0.1,IP:127.0.0.2'
  const wanted = `-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=files -addext ${names}`
  execFileSync('openssl', ['req', '-x509', '-keyout', key, '-out', cert, ...wanted.split(' ')], { stdio: 'ignore' })
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}
