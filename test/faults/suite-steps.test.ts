import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { type SandboxFeishu, type SandboxVendor, until } from '../../src/sandbox/index.js'
import { freshSchema } from '../support/postgres.js'
import { type StartedRedis, startRedis } from '../support/redis.js'
import { apps, customers } from './kit/customers.js'
import { limiterScripts } from './kit/limiter-scripts.js'
import { type Mortal, openWays, takeWhatTheDeadHeld } from './kit/mortal.js'
import { startMortalApp } from './kit/mortal-app.js'
import { startMortalProcess } from './kit/mortal-process.js'
import { isLongForm, someSeed } from './kit/short-form.js'
import { dealt, handful, namedSteps, type Role, type Step, watchFor } from './kit/steps.js'
import { appEntry, environmentOf, startSandboxes } from './kit/world.js'

const roles: Role[] = ['receiver', 'poller', 'sync']
const all = namedSteps(await limiterScripts())
/** The long form dies before and after each step, the short one before or after. */
const steps = isLongForm() ? all : dealt(all, someSeed())
/** At these a process of its own is killed: one takes a second to start. At the others one inside of the test loses all its ways. */
const killed = isLongForm() ? all : handful(steps, someSeed(), 3)

let feishu: SandboxFeishu
let vendor: SandboxVendor
let redis: StartedRedis
let pool: pg.Pool
let databaseUrl: URL
let folder: string
let accountId: string
const alive = new Map<Role, Mortal>()
const dead: Mortal[] = []
const crashedAt: number[] = []
/** Settles when there is one of each role again. */
let replaced: Promise<void> = Promise.resolve()
const customer = customers[0] ?? { appId: '', tenantKey: '' }
/** What a busy machine may take. */
const wait = { timeoutMs: 60_000, everyMs: 20 }
const wide = [{ limit: 1000, windowMs: 1000 }]
/** After a lost answer Feishu is asked this soon. */
const lookAfterMs = [20, 60, 150]

beforeAll(async () => {
  ;({ feishu, vendor } = await startSandboxes({ switches: {}, vendorOffers: { batch: false, changes: false } }, wide))
  redis = await startRedis()
  databaseUrl = new URL(freshSchema(inject('databaseUrl')))
  const schema = databaseUrl.searchParams.get('schema')
  pool = new pg.Pool({ connectionString: withoutSchema(databaseUrl), options: `-c search_path=${schema}` })
  folder = await mkdtemp(join(tmpdir(), 'bgc-steps-'))
  await writeFile(join(folder, 'apps.json'), JSON.stringify(apps.map(appEntry)))
  for (const role of roles) await start(role, isLongForm())
  vendor.setScenario(() => [
    { afterMs: 0, stage: { id: 'st-1', name: 'stage' } },
    { afterMs: 0, result: { result: 'clear', reports: [{ name: 'f.pdf' }] } },
  ])
  const account = feishu.createAccount({ ...customer, hold: true })
  accountId = account.accountId
  await pushUntilAcknowledged(account.event.eventId)
})

afterAll(async () => {
  await replaced.catch(() => 'the test that waited for it has failed')
  await Promise.all([...alive.values()].map((each) => each.stop()))
  await Promise.all(dead.map((each) => each.buried()))
  await pool.end()
  await Promise.all([feishu.stop(), vendor.stop(), redis.stop()])
  await rm(folder, { recursive: true, force: true })
})

/** What was not reached kills nobody later. */
afterEach(() => {
  for (const { ways } of alive.values()) for (const way of Object.values(ways)) way.watcher = undefined
})

function withoutSchema(url: URL): string {
  const plain = new URL(url)
  plain.searchParams.delete('schema')
  return plain.href
}

async function start(role: Role, asProcess: boolean): Promise<void> {
  const ways = await openWays(role, {
    postgres: Number(databaseUrl.port),
    redis: redis.port,
    feishu: feishu.port,
    vendor: vendor.port,
  })
  const database = new URL(databaseUrl)
  database.port = String(ways.postgres.port)
  const { PATH = '', HOME = '' } = process.env
  const env = {
    ...environmentOf(ways, wide),
    FEISHU_APPS_FILE: join(folder, 'apps.json'),
    DATABASE_URL: database.href,
    BGC_ROLES: role,
  }
  const started = asProcess
    ? await startMortalProcess(role, ways, { PATH, HOME, ...env }, lookAfterMs, folder)
    : await startMortalApp(role, ways, env, lookAfterMs)
  alive.set(role, started)
  if (role === 'receiver')
    for (const { appId } of apps)
      feishu.setEventUrl(appId, `${started.ways.webhook.url}/webhooks/feishu/${appId}/events`)
}

async function pushUntilAcknowledged(eventId: string): Promise<void> {
  await until('an acknowledgement', async () => (await feishu.redeliver(eventId)).httpStatus === 200, {
    ...wait,
    everyMs: 50,
  })
}

/** The process whose step it is: one of its own, if `kill -9` shall end it. */
async function whoseStep({ by }: Step, isKilled: boolean): Promise<Mortal> {
  await replaced
  const now = processOf(by)
  if (now.isProcess === isKilled) return now
  await now.stop()
  await start(by, isKilled)
  return processOf(by)
}

function processOf(role: Role): Mortal {
  const process = alive.get(role)
  if (process === undefined) throw new Error(`no ${role}`)
  return process
}

/** It dies at the step; another takes its place once its claims have run out. Answers whether it has come there. */
function dieAt(step: Step, process: Mortal): () => boolean {
  const { watcher, isReached } = watchFor(step, () => {
    process.die()
    dead.push(process)
    crashedAt.push(Date.now())
    replaced = replace(process.role)
    replaced.catch(() => 'whoever waits for it hears of it')
  })
  process.ways[step.way].watcher = watcher
  return isReached
}

async function replace(role: Role): Promise<void> {
  await takeWhatTheDeadHeld(pool, role)
  await start(role, isLongForm())
  crashedAt.push(Date.now())
}

test.each(steps.map((step) => [`${killed.includes(step) ? 'is killed' : 'dies'} ${step.name}`, step] as const))(
  'a process that %s loses and doubles nothing',
  async (_name, step) => {
    const isKilled = killed.includes(step)
    const mortal = await whoseStep(step, isKilled)
    if (step.after === 'tokens lost') feishu.revokeTokens()
    if (step.after === 'Redis emptied') await redis.flush()
    // Reads leave no rows: after a loss of Redis their bucket rests for seconds.
    feishu.setSwitches({ orderReads: step.after !== 'Redis emptied' })
    const isReached = dieAt(step, mortal)
    const { backgroundCheckId: id, event } = feishu.createOrder({ ...customer, accountId, hold: true })
    await pushUntilAcknowledged(event.eventId)
    await until(`${id} completed`, () => feishu.order(id).status === 'completed', wait)
    await until('the process at the step', isReached)
    await replaced
    await until('rest', async () => (await countOpen(id)) === 0, wait)
    const sent = feishu.calls({ backgroundCheckId: id })
    // What Feishu took is found by reading, and not sent again, wherever reading is possible.
    if (step.after === undefined) expect(sent.map(({ api }) => api)).toEqual(['update_progress', 'update_result'])
    expect({
      end: await mortal.end(),
      applied: sent.filter(({ applied }) => applied).map(({ api }) => api),
      atVendor: vendor.orderCount(id),
      broken: feishu.checkPromises({ crashedAt, vendorStages: { [id]: ['st-1'] } }),
    }).toEqual({
      end: isKilled ? 'SIGKILL' : 'lost all its ways',
      applied: ['update_progress', 'update_result'],
      atVendor: 1,
      broken: [],
    })
  },
  180_000,
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
