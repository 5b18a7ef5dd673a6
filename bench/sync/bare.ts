import { Agent, request } from 'node:http'
import { answerQuestions } from '../support/answer.js'
import { freshIds, stageOf } from './rows.js'

/* What the machine can do without any of the service: bodies posted over kept connections, answers read. */

export interface BareRun {
  url: string
  tenants: readonly string[]
  perTenant: number
  atOnce: number
}

export interface BareFigures {
  callsPerSecond: number
  cpuMsPerCall: number
}

answerQuestions({ run }, async () => undefined)

async function run({ url, tenants, perTenant, atOnce }: BareRun): Promise<BareFigures> {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce })
  const calls = tenants.flatMap((tenant) => freshIds(perTenant).map((id) => ({ tenant, id })))
  const before = process.cpuUsage()
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let call = calls.pop(); call !== undefined; call = calls.pop()) {
        const answer = await post(agent, url, call.tenant, JSON.stringify(stageOf(call.id).body))
        if ((JSON.parse(answer) as { code: number }).code !== 0) throw new Error(answer)
      }
    }),
  )
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(before)
  agent.destroy()
  const count = tenants.length * perTenant
  return { callsPerSecond: count / seconds, cpuMsPerCall: (user + system) / 1000 / count }
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
