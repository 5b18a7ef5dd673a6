import { Client, type Dispatcher } from 'undici'
import { createFeishuClient } from '../../src/flow/to-feishu/client.js'
import { answerQuestions } from '../support/answer.js'
import { freshIds, stageOf } from './rows.js'
import { storeApp } from './settings.js'

/* What the machine can do without any of the service: bodies posted over kept connections, answers read. */

export interface BareRun {
  url: string
  tenants: readonly string[]
  perTenant: number
  atOnce: number
  /** Made first and thrown away: code is compiled and connections are there when the clock starts. */
  warmUpCalls: number
  /** The client below the service's transport with nothing around it, or the SDK as the service uses it. */
  through: 'undici' | 'sdk'
}

export interface BareFigures {
  callsPerSecond: number
  cpuMsPerCall: number
}

answerQuestions({ run }, async () => undefined)

interface Call {
  tenant: string
  id: string
}

type Send = (call: Call) => Promise<boolean>

async function run({ url, tenants, perTenant, atOnce, warmUpCalls, through }: BareRun): Promise<BareFigures> {
  const senders = Array.from({ length: atOnce }, through === 'undici' ? () => plainly(url) : always(withSdk(url)))
  const calls = callsOf(tenants, perTenant)
  await sendAll(senders, callsOf(tenants, Math.ceil(warmUpCalls / tenants.length)).slice(0, warmUpCalls))
  const before = process.cpuUsage()
  const startedAt = performance.now()
  const count = await sendAll(senders, calls)
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(before)
  return { callsPerSecond: count / seconds, cpuMsPerCall: (user + system) / 1000 / count }
}

function callsOf(tenants: readonly string[], perTenant: number): Call[] {
  return tenants.flatMap((tenant) => freshIds(perTenant).map((id) => ({ tenant, id })))
}

/** Each sender has one call under way. Answers how many were made. */
async function sendAll(senders: readonly Send[], calls: readonly Call[]): Promise<number> {
  let made = 0
  const waiting = calls.values()
  await Promise.all(
    senders.map(async (send) => {
      for (const call of waiting) {
        if (!(await send(call))) throw new Error('the server did not say yes')
        made += 1
      }
    }),
  )
  return made
}

/** A client, and so a connection, of its own: nothing is handed out and nothing is queued. */
function plainly(url: string): Send {
  const client = new Client(url, { pipelining: 1 })
  return async ({ tenant, id }) => {
    const { api, body } = stageOf(id)
    const answer = await post(client, {
      method: 'POST',
      path: `/open-apis/hire/v1/eco_background_checks/${api}`,
      headers: { authorization: `Bearer t-${tenant}`, 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify(body),
    })
    return (JSON.parse(answer) as { code: number }).code === 0
  }
}

/** By `dispatch`, as the service's transport: undici's other methods are built on it and cost more. */
function post(client: Client, options: Dispatcher.DispatchOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    client.dispatch(options, {
      onRequestStart: () => undefined,
      onResponseData: (_controller, chunk) => void chunks.push(chunk),
      onResponseEnd: () => resolve(Buffer.concat(chunks).toString()),
      onResponseError: (_controller, failure) => reject(failure),
    })
  })
}

function withSdk(baseUrl: string): Send {
  const client = createFeishuClient({ appId: storeApp.appId, baseUrl })
  return async ({ tenant, id }) => {
    const { api, body } = stageOf(id)
    const reply = await client.call({ api, body: { ...body } }, { token: `t-${tenant}` })
    return reply.kind === 'answer' && reply.code === 0
  }
}

/** One for all. */
function always(send: Send): () => Send {
  return () => send
}
