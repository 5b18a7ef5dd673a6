import { type AnswerReason, createReceiver } from '../../src/flow/from-feishu/receiver.js'
import { createInbox } from '../../src/flow/inbox/accept.js'
import type { Inbox } from '../../src/flow/map.js'
import { createDoor, type Limits, listen } from '../../src/operate/server.js'
import type { Started } from '../../src/platform/lifetime.js'
import { firstApp, type Push, secondApp } from './pushes.js'
import type { Ground } from './room.js'

export interface Receiving extends Started {
  port: number
  /** Reasons of the answers so far. */
  reasons: AnswerReason[]
  push(push: Push, path?: string): Promise<{ status: number; body: unknown }>
}

export const maxEventAgeMs = 9 * 3_600_000
export const defaultPath = '/webhooks/feishu/events'

/** The webhook as the service opens it, over real HTTP. */
export async function startReceiving(
  ground: Ground,
  override?: Inbox,
  limits: Partial<Limits> = {},
): Promise<Receiving> {
  const reasons: AnswerReason[] = []
  const real = createInbox({ database: ground.database, sealer: ground.sealer, onAccepted: () => undefined })
  const webhook = createReceiver({
    apps: [firstApp, secondApp],
    inbox: override ?? real,
    maxEventAgeMs,
    onAnswer: (_status, reason) => reasons.push(reason),
  })
  const app = (_request: unknown, response: { writeHead(status: number): { end(): unknown } }) =>
    response.writeHead(404).end()
  const server = await listen(
    createDoor({ webhook, app }, ground.log),
    '127.0.0.1',
    0,
    new AbortController().signal,
    limits,
  )
  return {
    port: server.port,
    reasons,
    push: async ({ body, headers }, path = defaultPath) => {
      const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, {
        method: 'POST',
        headers,
        body: new Uint8Array(body),
      })
      return { status: answer.status, body: await answer.json() }
    },
    stop: async () => {
      await server.stop()
      await real.stop()
    },
  }
}
