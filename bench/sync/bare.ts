import { Agent, request } from 'node:http'
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
  /** Plain HTTP of Node, or the SDK as the service uses it. */
  through: 'http' | 'sdk'
}

export interface BareFigures {
  callsPerSecond: number
  cpuMsPerCall: number
}

answerQuestions({ run }, async () => undefined)

type Send = (tenant: string, id: string) => Promise<boolean>

async function run({ url, tenants, perTenant, atOnce, through }: BareRun): Promise<BareFigures> {
  const send = through === 'http' ? plainly(url, atOnce) : withSdk(url)
  const calls = tenants.flatMap((tenant) => freshIds(perTenant).map((id) => ({ tenant, id })))
  const before = process.cpuUsage()
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let call = calls.pop(); call !== undefined; call = calls.pop()) {
        if (!(await send(call.tenant, call.id))) throw new Error('the server did not say yes')
      }
    }),
  )
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(before)
  const count = tenants.length * perTenant
  return { callsPerSecond: count / seconds, cpuMsPerCall: (user + system) / 1000 / count }
}

function plainly(url: string, atOnce: number): Send {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce })
  return async (tenant, id) => {
    const answer = await post(agent, url, tenant, JSON.stringify(stageOf(id).body))
    return (JSON.parse(answer) as { code: number }).code === 0
  }
}

function withSdk(baseUrl: string): Send {
  const client = createFeishuClient({ appId: storeApp.appId, baseUrl })
  return async (tenant, id) => {
    const { api, body } = stageOf(id)
    const reply = await client.call({ api, body: { ...body } }, { token: `t-${tenant}` })
    return reply.kind === 'answer' && reply.code === 0
  }
}

function post(agent: Agent, url: string, tenant: string, body: string): Promise<string> {
  const headers = {
    authorization: `Bearer t-${tenant}`,
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  }
  return new Promise((resolve, reject) => {
    const path = '/open-apis/hire/v1/eco_background_checks/update_progress'
    const call = request(`${url}${path}`, { method: 'POST', agent, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve(Buffer.concat(chunks).toString()))
    })
    call.on('error', reject)
    call.end(body)
  })
}
