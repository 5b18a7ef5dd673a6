import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { apiKey } from '../faults/kit/world.js'

/** What operators who never stop asking were answered, and how often. */
export interface Operators {
  answers: ReadonlyMap<string, number>
  stop(): Promise<void>
}

interface Answer {
  status: number
  replayed: boolean
  body: string
}

/**
 * Look at orders, ask whether the service is ready, and have an open order polled; each write comes once more with the
 * same `Idempotency-Key`. None waits for another, each for its own answer, so that a machine that is slow gets less.
 */
export function startOperators(url: string, orderId: string): Operators {
  const answers = new Map<string, number>()
  const stopping = new AbortController()
  const note = (what: string) => answers.set(what, (answers.get(what) ?? 0) + 1)
  const again = async (work: () => Promise<void>) => {
    while (!stopping.signal.aborted) {
      await work()
      await sleep(50)
    }
  }
  const looking = ['/v1/orders?limit=1', '/readyz'].map((path) =>
    again(async () => void note(`GET ${path} ${(await ask(`${url}${path}`, 'GET')).status}`)),
  )
  const writing = again(async () => {
    const key = randomUUID()
    const poll = () => ask(`${url}/v1/orders/${orderId}/poll`, 'POST', key)
    const first = await poll()
    note(`POST poll ${first.status}`)
    const { status, replayed, body } = await poll()
    note(`the same key ${status} ${replayed && body === first.body ? 'with the same answer' : 'with another answer'}`)
  })
  const all = Promise.all([...looking, writing])
  return {
    answers,
    stop: async () => {
      stopping.abort()
      await all
    },
  }
}

async function ask(url: string, method: 'GET' | 'POST', key?: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${apiKey}`, ...(key !== undefined && { 'idempotency-key': key }) }
  const response = await fetch(url, { method, headers })
  const replayed = response.headers.get('idempotency-replayed') === 'true'
  return { status: response.status, replayed, body: await response.text() }
}
