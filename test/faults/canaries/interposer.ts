import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Asked {
  method: string
  path: string
  body: string
}

export interface Said {
  status: number
  body: string
  headers?: Record<string, string>
}

/** A peer of the service through which everything passes and is kept, and that says what a test wants now and then. */
export interface Interposer {
  url: string
  /** Everything that passed: requests with path and headers, and whatever was answered. */
  seen(): Buffer
  /** Says `said` once instead of the peer. Answers whether it has been said. */
  sayOnce(when: (asked: Asked) => boolean, said: Said): () => boolean
  stop(): Promise<void>
}

interface Planned {
  when: (asked: Asked) => boolean
  said: Said
  taken: boolean
}

/** Without a target it answers 200 to everything. */
export async function interpose(target?: string): Promise<Interposer> {
  const seen: Buffer[] = []
  const planned: Planned[] = []
  const server = createServer((incoming, outgoing) => {
    void readAll(incoming).then((body) => {
      const { method = '', url: path = '' } = incoming
      seen.push(Buffer.from(`\n${method} ${path}\n${JSON.stringify(incoming.headers)}\n`), body)
      const asked = { method, path, body: body.toString() }
      const plan = planned.find((each) => !each.taken && each.when(asked))
      if (plan !== undefined) {
        plan.taken = true
        seen.push(Buffer.from(JSON.stringify(plan.said)))
        outgoing.writeHead(plan.said.status, { 'content-type': 'application/json', ...plan.said.headers })
        outgoing.end(plan.said.body)
      } else if (target === undefined) outgoing.writeHead(200, { 'content-type': 'application/json' }).end('{"code":0}')
      else pass(target, { incoming, body, outgoing, seen })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    // A server that listens on a port has an address of this form.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: () => Buffer.concat(seen),
    sayOnce: (when, said) => {
      const plan = { when, said, taken: false }
      planned.push(plan)
      return () => plan.taken
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function readAll(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

interface Exchange {
  incoming: IncomingMessage
  body: Buffer
  outgoing: ServerResponse
  seen: Buffer[]
}

function pass(target: string, { incoming, body, outgoing, seen }: Exchange): void {
  const { method, headers, url = '/' } = incoming
  const { host: _host, ...passedOn } = headers
  const passed = request(new URL(url, target), { method, headers: passedOn }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.on('data', (chunk: Buffer) => seen.push(chunk))
    answer.pipe(outgoing)
  })
  passed.on('error', () => outgoing.destroy())
  passed.end(body)
}
