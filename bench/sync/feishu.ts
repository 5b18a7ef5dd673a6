import { type SandboxApp, startSandboxFeishu } from '../../src/sandbox/index.js'
import { answerQuestions } from '../support/answer.js'
import type { Window } from './settings.js'

/* The sandbox Feishu, whose door counts what arrives and refuses what is too much. */

interface Setup {
  app: SandboxApp
  tenantKey: string
  latencyMs: number
  rateLimits: readonly Window[]
  orders: readonly string[]
}

export interface Seen {
  worst: Array<Window & { worst: number }>
  calls: number
  refused: number
  violations: number
  /** Arrival and answer of each call that was let in, in ms since 1970. */
  delivered: Array<{ at: number; endedAt: number }>
}

let feishu: Awaited<ReturnType<typeof startSandboxFeishu>> | undefined
const running = () => {
  if (feishu === undefined) throw new Error('the sandbox is not set up')
  return feishu
}

const applied = (api: 'update_progress' | 'cancel') =>
  running()
    .calls({ api, applied: true })
    .filter((call) => call.endedAt !== undefined)

answerQuestions(
  { setUp, seen, delivered: () => applied('update_progress').length, canceled: () => applied('cancel').length },
  async () => feishu?.stop(),
)

async function setUp({ app, tenantKey, latencyMs, rateLimits, orders }: Setup): Promise<string> {
  await feishu?.stop()
  feishu = await startSandboxFeishu({
    apps: [app],
    tenants: [{ tenantKey, appIds: [app.appId] }],
    latencyMs,
    rateLimits,
  })
  const { accountId } = feishu.createAccount({ appId: app.appId, tenantKey, hold: true })
  for (const backgroundCheckId of orders) {
    feishu.createOrder({ appId: app.appId, tenantKey, accountId, backgroundCheckId, hold: true })
  }
  return feishu.url
}

function seen(): Seen {
  const calls = running().calls({ api: 'update_progress' })
  return {
    worst: running()
      .worstWindows()
      .filter(({ bucket }) => bucket.endsWith('update_progress'))
      .map(({ limit, windowMs, worst }) => ({ limit, windowMs, worst })),
    calls: calls.length,
    refused: calls.filter((call) => call.code === 99991400).length,
    violations: running().checkPromises().length,
    delivered: applied('update_progress').map(({ at, endedAt = at }) => ({ at, endedAt })),
  }
}
