import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { now, sleep } from '../../src/sandbox/support/clock.js'
import { worstCount } from '../../src/sandbox/support/windows.js'
import { answerQuestions } from '../support/answer.js'

/*
 * A server that counts, where a whole sandbox would be what is measured: it gives any token, notes each arrival under
 * the caller's tenant as soon as its head is read, and says yes.
 */
export interface Arrival {
  tenant: string
  at: number
  /** The order, when ids are asked for. */
  id?: string
}

export interface DoorSettings {
  latencyMs: number
  ids: boolean
}

export interface DoorCount {
  tenant: string
  calls: number
  /** The most that any window held, for each window asked for. */
  worst: number[]
}

const settings: DoorSettings = { latencyMs: 0, ids: false }
let arrivals: Arrival[] = []
const yes = JSON.stringify({ code: 0, msg: 'success', data: {} })

const server = createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1', () =>
  answerQuestions(
    {
      url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      set: (changes: Partial<DoorSettings>) => void Object.assign(settings, changes),
      reset: () => {
        arrivals = []
      },
      count: () => arrivals.length,
      arrivals: (tenants: readonly string[]) => arrivals.filter(({ tenant }) => tenants.includes(tenant)),
      counts: (windowsMs: readonly number[]) => counts(windowsMs),
      cpuMs: () => process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000,
    },
    async () => void server.close(),
  ),
)
server.keepAliveTimeout = 120_000

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const at = now()
  const { authorization } = request.headers
  if (authorization === undefined) return giveToken(request, response)
  const arrival: Arrival = { tenant: authorization.slice('Bearer t-'.length), at }
  arrivals.push(arrival)
  const body = await readAll(request)
  const id = settings.ids ? /"background_check_id":"(\d+)"/.exec(body.toString())?.[1] : undefined
  if (id !== undefined) arrival.id = id
  if (settings.latencyMs > 0) await sleep(settings.latencyMs)
  write(response, yes)
}

async function giveToken(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { tenant_key } = JSON.parse((await readAll(request)).toString()) as { tenant_key?: string }
  const tokens = { app_access_token: 'a-app', tenant_access_token: `t-${tenant_key}` }
  write(response, JSON.stringify({ code: 0, msg: 'ok', expire: 7200, ...tokens }))
}

function write(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': text.length })
  response.end(text)
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function counts(windowsMs: readonly number[]): DoorCount[] {
  const byTenant = new Map<string, number[]>()
  for (const { tenant, at } of arrivals) {
    const times = byTenant.get(tenant)
    if (times) times.push(at)
    else byTenant.set(tenant, [at])
  }
  return [...byTenant].map(([tenant, times]) => {
    return { tenant, calls: times.length, worst: windowsMs.map((ms) => worstCount(times, ms)) }
  })
}
