import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import {
  createFeishuClient,
  type FeishuCall,
  type FeishuClientOptions,
  type FeishuRequest,
} from '../../src/flow/to-feishu/client.js'

export interface Seen {
  method: string
  url: string
  headers: IncomingHttpHeaders
  body: string
  port: number
}

export type Handler = (seen: Seen, response: ServerResponse, socket: Socket) => void

/** A server that answers as the test says; `seen` are the requests that arrived whole. */
export async function startPeer(handler: Handler) {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    void read(request).then((one) => {
      seen.push(one)
      handler(one, response, request.socket)
    })
  })
  let connections = 0
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port, seen, server, connections: () => connections }
}

async function read(request: IncomingMessage): Promise<Seen> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { method = '', url = '', headers, socket } = request
  return { method, url, headers, body: Buffer.concat(chunks).toString('utf8'), port: socket.remotePort ?? 0 }
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Handler {
  return (_seen, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }
}

export const canary = 'CANARY-7f3a'
export const progress: FeishuRequest = {
  api: 'update_progress',
  body: {
    background_check_id: '7400000000000000202',
    stage_id: 'st-1',
    stage_name: canary,
    stage_time: '1767315600000',
  },
}
export const ok = json(200, { code: 0, msg: 'success', data: {} })

export function callWith(more: Partial<FeishuCall> = {}): FeishuCall {
  return { token: 't-one', signal: new AbortController().signal, ...more }
}

export function clientOf(baseUrl: string, more: Partial<FeishuClientOptions> = {}) {
  const client = createFeishuClient({ appId: 'cli_demo0001', baseUrl, timeoutMs: 5_000, ...more })
  onTestFinished(() => client.stop())
  return client
}

export async function ask(handler: Handler, more: Partial<FeishuClientOptions> = {}, call: Partial<FeishuCall> = {}) {
  const peer = await startPeer(handler)
  return { peer, reply: await clientOf(peer.url, more).call(progress, callWith(call)) }
}
