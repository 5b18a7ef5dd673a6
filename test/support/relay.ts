import { createServer, type IncomingHttpHeaders, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Passes requests on to another server, and keeps the headers that they came with. */
export interface Relay {
  url: string
  seen(): Array<{ method: string; path: string; headers: IncomingHttpHeaders }>
  stop(): Promise<void>
}

export async function startRelay(target: string): Promise<Relay> {
  const seen: ReturnType<Relay['seen']> = []
  const server = createServer((incoming, response) => {
    const { method = 'GET', url = '/', headers } = incoming
    seen.push({ method, path: url, headers })
    const onward = send(new URL(url, target), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: () => seen,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
