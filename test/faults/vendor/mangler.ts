import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** What the vendor really answered; `null` when the call never reached it. */
export type Real = { status: number; body: string } | null

/**
 * What becomes of one call. `apply`: it reaches the vendor first, so that it takes effect. `answer` writes whatever it
 * likes to the socket, or lets the real answer through where there is none.
 */
export interface Mangling {
  apply: boolean
  answer?: ((socket: Socket, real: Real) => void) | undefined
}

/** `key`: the Idempotency-Key, empty where there is none. */
export type Choose = (operation: Operation, key: string) => Mangling | undefined

export type Operation = 'create' | 'find' | 'get' | 'batch' | 'changes' | 'cancel' | 'other'

/** A way between the service and a vendor's system on which single answers are spoilt, byte by byte. */
export interface Mangler {
  url: string
  /** Of every request, in the order of their coming. */
  requests: Array<{ operation: Operation; headers: IncomingMessage['headers'] }>
  /** For the next calls of this operation, one after the other. */
  plan(operation: Operation, ...manglings: Mangling[]): void
  /** What was planned for an operation and has not happened yet. */
  forget(operation: Operation): void
  /** For all calls from now on; `undefined` ends it. */
  use(choose: Choose | undefined): void
  stop(): Promise<void>
}

export async function startMangler(target: string): Promise<Mangler> {
  const plans = new Map<Operation, Mangling[]>()
  const requests: Mangler['requests'] = []
  const sockets = new Set<Socket>()
  let choose: Choose | undefined
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await readAll(request)
    const operation = operationOf(request)
    const key = String(request.headers['idempotency-key'] ?? '')
    requests.push({ operation, headers: request.headers })
    const mangling = plans.get(operation)?.shift() ?? choose?.(operation, key) ?? { apply: true }
    const real = mangling.apply ? await forward(target, request, body) : null
    if (mangling.answer) mangling.answer(request.socket, real)
    else if (real === null) request.socket.resetAndDestroy()
    else response.writeHead(real.status, { 'content-type': 'application/json' }).end(real.body)
  }
  const server = createServer((request, response) => {
    handle(request, response).catch(() => request.socket.destroy())
  })
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    plan: (operation, ...manglings) => {
      plans.set(operation, [...(plans.get(operation) ?? []), ...manglings])
    },
    forget: (operation) => void plans.delete(operation),
    use: (chosen) => {
      choose = chosen
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function operationOf({ method = '', url = '' }: IncomingMessage): Operation {
  const { pathname, searchParams } = new URL(url, 'http://vendor')
  if (!pathname.startsWith('/orders')) return 'other'
  if (pathname.endsWith('/cancel')) return 'cancel'
  if (method === 'POST') return 'create'
  if (searchParams.has('background_check_id')) return 'find'
  if (searchParams.has('ids')) return 'batch'
  return searchParams.has('changed_after') ? 'changes' : 'get'
}

async function forward(
  target: string,
  { method = '', url = '', headers }: IncomingMessage,
  body: Buffer,
): Promise<Real> {
  const { authorization = '', 'content-type': type, 'idempotency-key': key } = headers
  const answer = await fetch(target + url, {
    method,
    headers: {
      authorization,
      ...(type !== undefined && { 'content-type': type }),
      ...(typeof key === 'string' && { 'idempotency-key': key }),
    },
    ...(body.length > 0 && { body: new Uint8Array(body) }),
  })
  return { status: answer.status, body: await answer.text() }
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks)
}

/** An answer as it is written here, with the headers that it has here and no others. */
export function raw(head: string, body: string | Buffer = ''): Mangling['answer'] {
  return (socket) => {
    socket.write(`${head}\r\n\r\n`)
    socket.end(body)
  }
}

export function json(status: number, body: unknown, headers = ''): Mangling['answer'] {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const length = Buffer.byteLength(text)
  return raw(`HTTP/1.1 ${status} X\r\nContent-Type: application/json\r\nContent-Length: ${length}${headers}`, text)
}

/** The real answer, but for what is done to its bytes. */
export function mangled(
  change: (body: string, status: number) => { head: string; body: string | Buffer },
): Mangling['answer'] {
  return (socket, real) => {
    const { head, body } = change(real?.body ?? '', real?.status ?? 0)
    raw(head, body)?.(socket, real)
  }
}
