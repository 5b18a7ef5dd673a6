import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { apiKey } from '../../test/faults/kit/world.js'

const keys = Array.from({ length: 20 }, (_, index) => ({
  name: `oracle-${index + 1}`,
  secret: `operator-key-${index + 1}-of-24-chars-or-more`,
}))

/** BGC_API_KEYS: the kit's own, and those that take turns. */
export const operatorKeys = [{ name: 'test', secret: apiKey }, ...keys]
  .map(({ name, secret }) => `${name}:${secret}`)
  .join(',')

export interface OperatorsDoor {
  port: number
  stop(): Promise<void>
}

/**
 * The operators' door as the oracle may ask at it, about each order of hours: a key has so many requests in a minute, so
 * keys take turns, and wait where all are used up.
 */
export async function openOperatorsDoor(servicePort: number): Promise<OperatorsDoor> {
  let turn = 0
  const server = createServer((request, response) => {
    turn += 1
    const url = `http://127.0.0.1:${servicePort}${request.url ?? '/'}`
    void pass(url, keys[turn % keys.length]?.secret ?? apiKey, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    stop: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function pass(url: string, secret: string, response: ServerResponse): Promise<void> {
  try {
    const answer = await ask(url, secret)
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
  } catch (failure) {
    // The oracle hears of it as an order that is not shown.
    response.writeHead(502).end(JSON.stringify({ failure: String(failure) }))
  }
}

async function ask(url: string, secret: string): Promise<Response> {
  for (;;) {
    const answer = await fetch(url, { headers: { authorization: `Bearer ${secret}` } })
    if (answer.status !== 429) return answer
    await answer.text()
    await sleep(Number(answer.headers.get('retry-after') ?? 1) * 1000)
  }
}
