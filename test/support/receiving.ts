import { type AnswerReason, createReceiver, type ReceiverLimits } from '../../src/flow/from-feishu/receiver.js'
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

interface ReceivingLimits {
  webhook?: Partial<ReceiverLimits>
  server?: Partial<Limits>
}

export const maxEventAgeMs = 9 * 3_600_000
export const defaultPath = '/webhooks/feishu/events'

/** What is right is answered with 200 also by a machine that stands still for longer than Feishu waits. */
const patient = { answerWithinMs: 30_000 }

/** The webhook over real HTTP, as the service opens it but for its patience, which is the test's to say. */
export async function startReceiving(
  ground: Ground,
  override?: Inbox,
  { webhook: receiverLimits = {}, server: serverLimits = {} }: ReceivingLimits = {},
): Promise<Receiving> {
  const reasons: AnswerReason[] = []
  const { database, sealer } = ground
  const real = createInbox({ ...patient, database: { intake: database.pool }, sealer, onAccepted: () => undefined })
  const webhook = createReceiver({
    apps: [firstApp, secondApp],
    inbox: override ?? real,
    maxEventAgeMs,
    limits: { ...patient, ...receiverLimits },
    onAnswer: (_status, reason) => reasons.push(reason),
  })
  const app = (_request: unknown, response: { writeHead(status: number): { end(): unknown } }) =>
    response.writeHead(404).end()
  const server = await listen(
    createDoor({ webhook, app }, ground.log),
    '127.0.0.1',
    0,
    new AbortController().signal,
    serverLimits,
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
