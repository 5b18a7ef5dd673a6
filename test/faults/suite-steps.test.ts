import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type SandboxFeishu, type SandboxVendor, until } from '../../src/sandbox/index.js'
import { freshSchema } from '../support/postgres.js'
import { type StartedRedis, startRedis } from '../support/redis.js'
import { apps, customers } from './kit/customers.js'
import { limiterScripts, type MortalApp, type Role, startMortalApp, takeWhatTheDeadHeld } from './kit/mortal-app.js'
import { isLongForm, someSeed } from './kit/short-form.js'
import { dealt, namedSteps, type Step, watchFor } from './kit/steps.js'
import { appEntry, environmentOf, startSandboxes } from './kit/world.js'

const roles: Role[] = ['receiver', 'poller', 'sync']
const all = namedSteps(await limiterScripts())
/** The long form dies before and after each step, the short one before or after. */
const steps = isLongForm() ? all : dealt(all, someSeed())

let feishu: SandboxFeishu
let vendor: SandboxVendor
let redis: StartedRedis
let pool: pg.Pool
let databaseUrl: URL
let accountId: string
const alive = new Map<Role, MortalApp>()
const dead: MortalApp[] = []
const crashedAt: number[] = []
const customer = customers[0] ?? { appId: '', tenantKey: '' }

beforeAll(async () => {
  ;({ feishu, vendor } = await startSandboxes({ switches: {}, vendorOffers: { batch: false, changes: false } }, wide))
  redis = await startRedis()
  databaseUrl = new URL(freshSchema(inject('databaseUrl')))
  const schema = databaseUrl.searchParams.get('schema')
  pool = new pg.Pool({ connectionString: withoutSchema(databaseUrl), options: `-c search_path=${schema}` })
  for (const role of roles) await start(role)
  vendor.setScenario(() => [
    { afterMs: 0, stage: { id: 'st-1', name: 'stage' } },
    { afterMs: 0, result: { result: 'clear', reports: [{ name: 'f.pdf' }] } },
  ])
  const account = feishu.createAccount({ ...customer, hold: true })
  accountId = account.accountId
  await pushUntilAcknowledged(account.event.eventId)
})

afterAll(async () => {
  await Promise.all([...alive.values()].map(({ app }) => app.stop()))
  await Promise.all([...alive.values(), ...dead].map((each) => each.buried()))
  await pool.end()
  await Promise.all([feishu.stop(), vendor.stop(), redis.stop()])
})

const wide = [{ limit: 1000, windowMs: 1000 }]

function withoutSchema(url: URL): string {
  const plain = new URL(url)
  plain.searchParams.delete('schema')
  return plain.href
}

async function start(role: Role): Promise<void> {
  const ports = {
    postgres: Number(databaseUrl.port),
    redis: redis.port,
    feishu: feishu.port,
    vendor: vendor.port,
  }
  const process = await startMortalApp(
    role,
    ports,
    (ways) => {
      const database = new URL(databaseUrl)
      database.port = String(ways.postgres.port)
      return { ...environmentOf(ways, wide), FEISHU_APPS_FILE: '/apps.json', DATABASE_URL: database.href, PORT: '0' }
    },
    JSON.stringify(apps.map(appEntry)),
  )
  alive.set(role, process)
  if (role === 'receiver')
    for (const { appId } of apps)
      feishu.setEventUrl(appId, `${process.ways.webhook.url}/webhooks/feishu/${appId}/events`)
}

async function pushUntilAcknowledged(eventId: string): Promise<void> {
  await until('an acknowledgement', async () => (await feishu.redeliver(eventId)).httpStatus === 200, {
    timeoutMs: 30_000,
    everyMs: 50,
  })
}

/** Whoever comes to the step first dies there; another takes its place once the claims of the dead have run out. */
function dieAt(step: Step): { isReached: () => boolean; replaced: Promise<void> } {
  const watched: Array<() => boolean> = []
  const replaced = new Promise<void>((resolve, reject) => {
    let isFirst = true
    for (const process of alive.values()) {
      const { watcher, isReached } = watchFor(step, () => {
        if (!isFirst) return
        isFirst = false
        process.die()
        dead.push(process)
        crashedAt.push(Date.now())
        replace(process.role).then(resolve, reject)
      })
      process.ways[step.way].watcher = watcher
      watched.push(isReached)
    }
  })
  return { isReached: () => watched.some((isReached) => isReached()), replaced }
}

async function replace(role: Role): Promise<void> {
  await takeWhatTheDeadHeld(pool, role)
  await start(role)
  crashedAt.push(Date.now())
}

test.each(steps.map((step) => [step.name, step] as const))(
  'a process that dies %s loses and doubles nothing',
  async (_name, step) => {
    if (step.after === 'tokens lost') feishu.revokeTokens()
    if (step.after === 'Redis emptied') await redis.flush()
    // Reads leave no rows: after a loss of Redis their bucket rests for seconds.
    feishu.setSwitches({ orderReads: step.after !== 'Redis emptied' })
    const { isReached, replaced } = dieAt(step)
    const { backgroundCheckId: id, event } = feishu.createOrder({ ...customer, accountId, hold: true })
    await pushUntilAcknowledged(event.eventId)
    await until(`${id} completed`, () => feishu.order(id).status === 'completed', { timeoutMs: 30_000 })
    await until(`the process at the step`, isReached)
    await replaced
    for (const { ways } of alive.values()) for (const way of Object.values(ways)) way.watcher = undefined
    await until('rest', async () => (await countOpen(id)) === 0, { timeoutMs: 30_000, everyMs: 20 })
    const sent = feishu.calls({ backgroundCheckId: id })
    // What Feishu took is found by reading, and not sent again, wherever reading is possible.
    if (step.after === undefined) expect(sent.map(({ api }) => api)).toEqual(['update_progress', 'update_result'])
    expect({
      applied: sent.filter(({ applied }) => applied).map(({ api }) => api),
      atVendor: vendor.orderCount(id),
      broken: feishu.checkPromises({ crashedAt, vendorStages: { [id]: ['st-1'] } }),
    }).toEqual({ applied: ['update_progress', 'update_result'], atVendor: 1, broken: [] })
  },
  90_000,
)

async function countOpen(id: string): Promise<number> {
  const { rows } = await pool.query<{ open: number }>(
    `SELECT (SELECT count(*) FROM events WHERE state <> 'done')::int
       + (SELECT count(*) FROM deliveries WHERE state <> 'delivered')::int
       + (SELECT count(*) FROM vendor_tasks)::int
       + (SELECT count(*) FROM orders WHERE background_check_id = $1 AND state <> 'completed')::int AS open`,
    [id],
  )
  return rows[0]?.open ?? 0
}
