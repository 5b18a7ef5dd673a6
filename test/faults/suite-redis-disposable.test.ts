import { afterAll, afterEach, beforeAll, expect, inject, it } from 'vitest'
import { type App, type Overrides, startApp } from '../../src/app.js'
import { readConfig } from '../../src/config.js'
import { createLogger } from '../../src/platform/logger.js'
import type { Hints } from '../../src/platform/queue/hints.js'
import { type SandboxFeishu, type SandboxVendor, until } from '../../src/sandbox/index.js'
import { freshSchema } from '../support/postgres.js'
import { apps, customers } from './kit/customers.js'
import { type Link, startLink } from './kit/link.js'
import { type OwnRedis, startOwnRedis } from './kit/redis.js'
import { appEntry, environmentOf, startSandboxes } from './kit/world.js'

const windows = [
  { limit: 8, windowMs: 1000 },
  { limit: 500, windowMs: 60_000 },
]

let redis: OwnRedis
let another: OwnRedis
let link: Link
const running: App[] = []
let stopSandboxes: () => Promise<unknown> = async () => undefined

beforeAll(async () => {
  ;[redis, another] = await Promise.all([startOwnRedis(), startOwnRedis()])
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((app) => app.stop()))
  await stopSandboxes()
  await link.stop()
})
afterAll(() => Promise.all([redis.stop(), another.stop()]))

interface Scene {
  feishu: SandboxFeishu
  vendor: SandboxVendor
}

/** A receiver, and two processes that do the rest, so that hints have to travel. */
async function begin(overrides: Overrides = {}): Promise<Scene> {
  await redis.empty()
  link = await startLink('service–redis', [redis.port])
  // Reads after a lost answer are another matter, and take longer.
  const sandboxes = { switches: { orderReads: false }, vendorOffers: { batch: true, changes: false } }
  const { feishu, vendor } = await startSandboxes(sandboxes, windows)
  stopSandboxes = () => Promise.all([feishu.stop(), vendor.stop()])
  const ways = { feishu, vendor, redis: link }
  const env = {
    ...environmentOf(ways, windows),
    DATABASE_URL: freshSchema(inject('databaseUrl')),
    FEISHU_APPS_FILE: '/apps.json',
    PORT: '0',
    FEISHU_TIMEOUT_MS: '10000',
  }
  for (const roles of ['receiver', 'poller,sync', 'poller,sync']) {
    const config = readConfig({ ...env, BGC_ROLES: roles }, () => JSON.stringify(apps.map(appEntry)))
    running.push(await startApp(config, createLogger('silent'), overrides))
  }
  for (const { appId } of apps)
    feishu.setEventUrl(appId, `http://127.0.0.1:${running[0]?.port}/webhooks/feishu/${appId}/events`)
  vendor.setScenario(() => [
    { afterMs: 0, stage: { id: 'st-1', name: 'stage' } },
    { afterMs: 0, stage: { id: 'st-2', name: 'stage' } },
    { afterMs: 0, result: { result: 'clear', reports: [{ name: 'f.pdf' }] } },
  ])
  return { feishu, vendor }
}

/** Orders checks in one tenant, more than a window takes at once. */
function order({ feishu }: Scene, count: number): string[] {
  const [customer] = customers
  if (customer === undefined) throw new Error('no customer')
  const { accountId } = feishu.createAccount(customer)
  return Array.from({ length: count }, () => feishu.createOrder({ ...customer, accountId }).backgroundCheckId)
}

async function untilCompleted({ feishu, vendor }: Scene, ids: readonly string[]): Promise<void> {
  const open = () => ids.filter((id) => feishu.order(id).status !== 'completed')
  await until('every check completed', () => open().length === 0, { timeoutMs: 60_000 })
  for (const id of ids) {
    const applied = feishu.calls({ backgroundCheckId: id, applied: true }).map(({ api }) => api)
    expect(applied).toEqual(['update_progress', 'update_progress', 'update_result'])
    expect(vendor.orderCount(id)).toBe(1)
  }
  expect(feishu.checkPromises()).toEqual([])
}

const checks = 12

it('loses nothing and breaks no window when Redis is emptied again and again', async () => {
  const scene = await begin()
  // One after the other, so that no pump waits for its window already when its memory goes.
  const ids = order(scene, 1)
  let lost = 0
  for (let times = 0; times < checks; times += 1) {
    await scene.feishu.untilCalls({ api: 'update_progress' }, times + 1, 30_000)
    lost += (await redis.keys()).length
    await redis.empty()
    ids.push(...order(scene, 1))
  }
  expect(lost).toBeGreaterThan(checks)
  await untilCompleted(scene, ids)
})

it('loses nothing and breaks no window when another, empty Redis takes its place', async () => {
  const scene = await begin()
  await another.empty()
  const ids = order(scene, checks)
  await scene.feishu.untilCalls({ api: 'update_progress' }, 6, 30_000)
  link.aim([another.port])
  link.reset()
  await untilCompleted(scene, ids)
  expect(await another.keys()).not.toEqual([])
})

it('does everything when every hint is lost', async () => {
  let lost = 0
  const lose = () => {
    lost += 1
  }
  const hints: Hints = { send: lose, listen: () => undefined, stop: async () => undefined }
  const scene = await begin({ hints })
  await untilCompleted(scene, order(scene, 3))
  expect(lost).toBeGreaterThan(3)
})

it('sends on a new connection when the way to Redis swallows everything', async () => {
  const scene = await begin()
  const ids = order(scene, checks)
  await scene.feishu.untilCalls({ api: 'update_progress' }, 4, 30_000)
  link.set('silent')
  await until('something swallowed', () => link.bites > 0, { timeoutMs: 30_000 })
  link.set('open')
  await untilCompleted(scene, ids)
})

it('keeps only hints and rate slots in Redis, and tells it no names, phones or results', async () => {
  const scene = await begin()
  const said: string[] = []
  const hear = (bytes: Buffer) => said.push(bytes.toString()) > 0
  link.watcher = { onRequest: hear, onAnswer: hear }
  await untilCompleted(scene, order(scene, 2))
  const keys = await redis.keys()
  expect(keys.filter((key) => !/^(\{bgc\}:(inbox|vendor|poll|pump)|\{bgc:limiter:[^}]+\}):/.test(key))).toEqual([])
  expect(said.length).toBeGreaterThan(0)
  const personal = ['Lin Demo', '13000000000', 'lin.demo@example.com', 'clear', 'f.pdf']
  expect(personal.filter((secret) => said.some((text) => text.includes(secret)))).toEqual([])
})
