import { setTimeout as sleep } from 'node:timers/promises'
import { startSandboxFeishu } from '../../src/sandbox/index.js'
import { answerQuestions } from '../support/answer.js'
import { storeApp } from './settings.js'

/* The sandbox Feishu: customers that order, and the door that counts, refuses and keeps a journal. */

export interface Ordering {
  tenants: readonly string[]
  perTenant: number
  /** All as fast as so many connections take them, or one by one. */
  pace: { atOnce: number } | { perSecond: number }
}

export interface FeishuSaw {
  /** By check: when its event was first pushed and when it was acknowledged; when its first stage and result were accepted. */
  checks: Array<{ id: string; pushedAt: number; acknowledgedAt?: number; stageAt?: number; resultAt?: number }>
  /** Pushes of which the first attempt was not answered 200; each was sent again until it was. */
  pushedAgain: number
  refused: number
  violations: string[]
  /** Of one call, in ms. */
  meanCallMs: number
}

let feishu: Awaited<ReturnType<typeof startSandboxFeishu>> | undefined
const running = () => {
  if (feishu === undefined) throw new Error('the sandbox is not set up')
  return feishu
}
/** The event of each check. */
const events = new Map<string, string>()

answerQuestions({ setUp, aim, make, order, counts, saw }, async () => feishu?.stop())

async function setUp(tenants: readonly string[]): Promise<string> {
  feishu = await startSandboxFeishu({
    apps: [storeApp],
    tenants: tenants.map((tenantKey) => ({ tenantKey, appIds: [storeApp.appId] })),
  })
  return feishu.url
}

/** Where events go; the first one is the app's ticket. */
async function aim(url: string): Promise<void> {
  running().setEventUrl(storeApp.appId, `${url}/webhooks/feishu/${storeApp.appId}/events`)
  await running().untilAcknowledged(running().sendAppTicket(storeApp.appId).eventId)
}

const waiting: string[] = []

/** Seals the events of orders, the tenants in turns. */
function make({ tenants, perTenant }: Pick<Ordering, 'tenants' | 'perTenant'>): void {
  const { appId } = storeApp
  const accounts = tenants.map((tenantKey) => running().createAccount({ appId, tenantKey, hold: true }).accountId)
  for (let turn = 0; turn < perTenant; turn += 1) {
    for (const [index, tenantKey] of tenants.entries()) {
      const accountId = accounts[index] ?? ''
      const { backgroundCheckId, event } = running().createOrder({ appId, tenantKey, accountId, hold: true })
      events.set(backgroundCheckId, event.eventId)
      waiting.push(event.eventId)
    }
  }
}

/** Pushes what was made; answers when it began, in ms since 1970. */
function order({ pace }: Pick<Ordering, 'pace'>): number {
  if ('atOnce' in pace) for (let each = 0; each < pace.atOnce; each += 1) void pushAll()
  else void pushSteadily(pace.perSecond)
  return Date.now()
}

async function pushAll(): Promise<void> {
  for (let eventId = waiting.shift(); eventId !== undefined; eventId = waiting.shift()) await push(eventId)
}

async function pushSteadily(perSecond: number): Promise<void> {
  const startedAt = performance.now()
  for (const [index, eventId] of waiting.splice(0).entries()) {
    await sleep(Math.max(0, startedAt + (1000 * index) / perSecond - performance.now()))
    void push(eventId)
  }
}

/** Again, where the service had no time for it: Feishu would come back in 15 s. `saw` tells how many had to be. */
async function push(eventId: string): Promise<void> {
  while ((await running().redeliver(eventId)).outcome !== 'acknowledged') await sleep(500)
}

function isPushedAgain(eventId: string): boolean {
  return running().event(eventId).attempts[0]?.outcome !== 'acknowledged'
}

function counts() {
  const count = (api: 'update_progress' | 'update_result') => running().calls({ api, applied: true }).length
  return { stages: count('update_progress'), results: count('update_result') }
}

function saw(): FeishuSaw {
  const calls = running().calls()
  const [stages, results] = [new Map<string, number>(), new Map<string, number>()]
  for (const { api, applied, backgroundCheckId = '', endedAt } of calls) {
    const accepted = api === 'update_progress' ? stages : api === 'update_result' ? results : undefined
    if (applied && endedAt !== undefined && !accepted?.has(backgroundCheckId)) accepted?.set(backgroundCheckId, endedAt)
  }
  const checks = [...events].map(([id, eventId]) => {
    const { attempts } = running().event(eventId)
    const acknowledgedAt = attempts.find(({ outcome }) => outcome === 'acknowledged')?.endedAt
    const [stageAt, resultAt] = [stages.get(id), results.get(id)]
    return {
      id,
      pushedAt: attempts[0]?.at ?? Number.NaN,
      ...(acknowledgedAt !== undefined && { acknowledgedAt }),
      ...(stageAt !== undefined && { stageAt }),
      ...(resultAt !== undefined && { resultAt }),
    }
  })
  const lasted = calls.flatMap(({ at, endedAt }) => (endedAt === undefined ? [] : [endedAt - at]))
  return {
    checks,
    pushedAgain: [...events.values()].filter(isPushedAgain).length,
    refused: calls.filter(({ code }) => code === 99991400).length,
    violations: running()
      .checkPromises()
      .map(({ rule, detail }) => `${rule}: ${detail}`),
    meanCallMs: lasted.reduce((total, ms) => total + ms, 0) / lasted.length,
  }
}
