import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, describe, expect, inject, it, onTestFinished } from 'vitest'
import { type App, startApp } from '../../src/app.js'
import { refuseClosed } from '../../src/cli/restore/keys.js'
import { type Config, readConfig } from '../../src/config.js'
import { markRestored } from '../../src/flow/reconcile/mark-restored.js'
import { checkBackup } from '../../src/platform/backup/check.js'
import { writeWhole } from '../../src/platform/backup/file.js'
import { restoreBackup } from '../../src/platform/backup/restore.js'
import { writeBackup } from '../../src/platform/backup/write.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { listMigrations, MIGRATIONS } from '../../src/platform/database/migrate.js'
import { createLogger } from '../../src/platform/logger.js'
import { type SandboxFeishu, type SandboxVendor, until } from '../../src/sandbox/index.js'
import { emptyDatabase } from '../support/empty-database.js'
import { deliver } from './lives.js'
import { appsFile, callApi, customApp, environment, eventually, introduce, startSandboxes } from './world.js'

const tenant = { appId: customApp.appId, tenantKey: 'tk_custom' }
/** Usual sweeps are far away: only those that a restore asks for are due. */
const sweeps = { everyMs: 1e9, certainAfterMs: 8 * 3_600_000, restMs: 0, scanMs: 20, enrolMs: 1e9, retryMs: 20 }

interface Side {
  feishu: SandboxFeishu
  vendor: SandboxVendor
}

interface Service {
  app: App
  config: Config
  log: string[]
  api: (method: string, path: string, body?: unknown) => ReturnType<typeof callApi>
}

let running: App | undefined
let side: Side | undefined

afterEach(async () => {
  await running?.stop()
  await Promise.all([side?.feishu.stop(), side?.vendor.stop()])
  running = side = undefined
})

async function serve({ feishu, vendor }: Side, url: string, more: Record<string, string> = {}): Promise<Service> {
  const log: string[] = []
  const config = readConfig({ ...environment(feishu, vendor), DATABASE_URL: url, ...more }, () => appsFile)
  const logger = createLogger('debug', { write: (line) => log.push(line) })
  const app = await startApp(config, logger, { lookAfterMs: [20, 60, 150], sweeps })
  running = app
  const here = `http://127.0.0.1:${app.port}`
  introduce(feishu, here, 'none')
  return { app, config, log, api: (method, path, body) => callApi(here, method, path, body) }
}

async function backUp(url: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-restore-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'backup.tar.gz')
  await writeWhole(file, (out) => writeBackup({ url, release: '0.0.0' }, out))
  return file
}

/** As `bgc restore` does it. */
async function restore(file: string, { config }: Service): Promise<string> {
  const url = await emptyDatabase(inject('databaseUrl'))
  const sealer = createSealer(config.encryptionKeys)
  const checked = await checkBackup(file, await listMigrations(MIGRATIONS))
  await restoreBackup({
    file,
    checked,
    url,
    finish: async (sql) => {
      await refuseClosed(sql, sealer)
      await markRestored(sql, { backupAt: new Date(checked.manifest.backup_at), actor: 'test', by: 'restore' })
    },
  })
  return url
}

async function begin(options: Parameters<typeof startSandboxes>[0] = {}) {
  side = await startSandboxes(options)
  const url = await emptyDatabase(inject('databaseUrl'))
  const service = await serve(side, url)
  const { accountId } = side.feishu.createAccount(tenant)
  await eventually(async () => (await service.api('GET', '/v1/accounts')).body['items']).toHaveLength(1)
  return { ...side, side, url, service, accountId }
}

type Begun = Awaited<ReturnType<typeof begin>>

/** A check that the vendor has, with one stage in Feishu. */
async function check({ feishu, vendor, accountId }: Begun): Promise<string> {
  const { backgroundCheckId: id } = feishu.createOrder({ ...tenant, accountId })
  await until(`${id} at the vendor`, () => vendor.orderCount(id) === 1)
  vendor.addStage(id, { id: 'st-1', name: '身份核验' })
  await until('the first stage', () => feishu.order(id).stages.length === 1)
  return id
}

const order = async ({ api }: Service, id: string) => (await api('GET', `/v1/orders/${id}`)).body
const holds = async ({ api }: Service) =>
  (await api('GET', '/v1/holds')).body['items'] as Array<Record<string, unknown>>
const stop = async (service: Service) => {
  await service.app.stop()
  running = undefined
}
const names = (feishu: SandboxFeishu, id: string) => feishu.order(id).stages.map(({ stageId }) => stageId)
const applied = (feishu: SandboxFeishu, id: string) =>
  feishu.calls({ backgroundCheckId: id, applied: true }).map(({ api }) => api)
/** What was sent for a check, whatever became of it. */
const writes = (feishu: SandboxFeishu, id: string) => feishu.calls({ backgroundCheckId: id }).map(({ api }) => api)

/** What waits under the hold, in its order. */
async function waiting(service: Service, id: string): Promise<unknown[]> {
  const deliveries = (await order(service, id))['deliveries'] as Array<Record<string, unknown>>
  return deliveries.filter(({ state }) => state === 'pending').map(({ api }) => api)
}

async function restores({ config }: Service) {
  const client = new pg.Client({ connectionString: config.databaseUrl })
  await client.connect()
  const { rows } = await client.query('SELECT released_at IS NOT NULL AS released FROM restores')
  await client.end()
  return rows
}

/** Two checks with a stage; the backup; then all that it will lack. */
async function liveOn(begun: Begun) {
  const { feishu, vendor, service, accountId } = begun
  const reported = await check(begun)
  const underWay = await check(begun)
  const stopped = await check(begun)
  const file = await backUp(begun.url)
  vendor.addStage(reported, { id: 'st-2', name: '学历核实' })
  vendor.complete(reported, { result: '无差异' })
  vendor.addStage(underWay, { id: 'st-2', name: '学历核实' })
  await until('the result', () => feishu.order(reported).status === 'completed')
  await until('the second stage', () => feishu.order(underWay).stages.length === 2)
  feishu.cancelOrder(stopped)
  await eventually(async () => (await order(service, stopped))['state']).toBe('canceled')
  const { backgroundCheckId: lost } = feishu.createOrder({ ...tenant, accountId })
  await until('the lost order at the vendor', () => vendor.orderCount(lost) === 1)
  await stop(service)
  return { file, reported, underWay, stopped, lost }
}

describe('after a restore of a backup that lacks stages, a result and a cancel', () => {
  it('nothing is sent before the orders were compared; then each stage and the result is in Feishu once', async () => {
    const begun = await begin()
    const { feishu, vendor } = begun
    const { file, reported, underWay, stopped, lost } = await liveOn(begun)
    const ids = [reported, underWay, stopped]
    const before = ids.map((id) => writes(feishu, id))
    // The comparison can be begun, and not ended.
    feishu.addFault({
      match: { api: 'background_check_orders.list' },
      action: { kind: 'server_error' },
      times: 'always',
    })
    const asked = feishu.calls({ api: 'background_check_orders.list' }).length
    const service = await serve(begun.side, await restore(file, begun.service))
    vendor.addStage(underWay, { id: 'st-3', name: '工作履历' })
    await eventually(() => waiting(service, underWay)).toEqual(['update_progress', 'update_progress'])
    await eventually(() => waiting(service, reported)).toEqual(['update_progress', 'update_result'])
    await eventually(() => feishu.calls({ api: 'background_check_orders.list' }).length).toBeGreaterThan(asked + 2)
    expect(await holds(service)).toMatchObject([{ scope: 'restore', tenant_key: 'tk_custom' }])
    expect(ids.map((id) => writes(feishu, id))).toEqual(before)

    feishu.clearFaults()
    await eventually(async () => (await order(service, reported))['state']).toBe('completed')
    await until('the third stage', () => feishu.order(underWay).stages.length === 3)
    expect(await holds(service)).toEqual([])
    expect(names(feishu, reported)).toEqual(['st-1', 'st-2'])
    expect(writes(feishu, reported)).toEqual(before[0])
    expect(names(feishu, underWay)).toEqual(['st-1', 'st-2', 'st-3'])
    expect(writes(feishu, underWay)).toEqual([...(before[1] ?? []), 'update_progress'])
    await eventually(async () => (await order(service, stopped))['state']).toBe('canceled')
    const findings = (await service.api('GET', '/v1/findings')).body['items']
    expect(findings).toHaveLength(3)
    expect(findings).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ kind: 'created_event_lost', background_check_id: lost, state: 'open' }),
        expect.objectContaining({ kind: 'vendor_order_unknown_here', background_check_id: lost, state: 'open' }),
        expect.objectContaining({ kind: 'terminated_in_feishu', background_check_id: stopped, state: 'repaired' }),
      ]),
    )
    expect(feishu.checkPromises()).toEqual([])
    expect(service.log.filter((line) => line.includes('"restore.released"'))).toHaveLength(1)
    expect(await restores(service)).toEqual([{ released: true }])
  })

  it('a tenant whose orders cannot be read is held until an operator lets it go on, and then answers are read as those to repeats', async () => {
    const begun = await begin({ feishu: { switches: { orderReads: false } } })
    const { feishu, vendor } = begun
    const { file, reported, underWay } = await liveOn(begun)
    const before = [reported, underWay].map((id) => applied(feishu, id))
    const calls = [reported, underWay].map((id) => writes(feishu, id))
    const service = await serve(begun.side, await restore(file, begun.service))
    vendor.addStage(underWay, { id: 'st-3', name: '工作履历' })
    await eventually(() => waiting(service, underWay)).toEqual(['update_progress', 'update_progress'])
    await eventually(() => waiting(service, reported)).toEqual(['update_progress', 'update_result'])
    await eventually(async () => (await service.api('GET', '/v1/sweeps')).body['items']).toMatchObject([
      { permission: 'unreadable' },
    ])
    expect([reported, underWay].map((id) => writes(feishu, id))).toEqual(calls)
    const [held] = await holds(service)
    expect(held).toMatchObject({ scope: 'restore' })
    expect((await service.api('POST', `/v1/holds/${String(held?.['id'])}/release`)).status).toBe(202)
    await until('the third stage', () => feishu.order(underWay).stages.length === 3)
    await eventually(async () => (await order(service, reported))['state']).toBe('completed')
    expect(applied(feishu, reported)).toEqual(before[0])
    expect(applied(feishu, underWay)).toEqual([...(before[1] ?? []), 'update_progress'])
    expect((await order(service, reported))['deliveries']).toMatchObject([
      { api: 'update_progress', state: 'delivered', confirmed: true },
      { api: 'update_progress', state: 'delivered', confirmed: false },
      { api: 'update_result', state: 'delivered', confirmed: false },
    ])
    // What Feishu does not show can only be asked by sending it again (contract §3.11), and nothing of that took effect.
    const rules = feishu.checkPromises().map(({ rule, backgroundCheckId }) => [rule, backgroundCheckId])
    expect(rules).toEqual(rules.map(() => ['attempted_after_the_end', reported]))
    expect(await restores(service)).toEqual([{ released: true }])
  })
})

it('an order that was placed after the backup is one order at the vendor, and its stage is sent once', async () => {
  const begun = await begin()
  const { feishu, vendor, accountId, service } = begun
  vendor.addFault({ match: { operation: 'orders.create' }, action: { kind: 'server_error' }, times: 'always' })
  const { backgroundCheckId: id } = feishu.createOrder({ ...tenant, accountId })
  await eventually(async () => (await order(service, id))['state']).toBe('received')
  const file = await backUp(begun.url)
  vendor.clearFaults()
  await until('the order at the vendor', () => vendor.orderCount(id) === 1, { timeoutMs: 20_000 })
  vendor.addStage(id, { id: 'st-1', name: '身份核验' })
  await until('its stage', () => feishu.order(id).stages.length === 1)
  await stop(service)
  const restored = await serve(begun.side, await restore(file, service))
  await eventually(async () => (await order(restored, id))['state']).toBe('in_progress')
  await eventually(async () => (await order(restored, id))['deliveries']).toMatchObject([
    { state: 'delivered', confirmed: true },
  ])
  expect(vendor.orderCount(id)).toBe(1)
  expect(writes(feishu, id)).toEqual(['update_progress'])
})

it('an order whose event takes effect again is looked for at a vendor that goes by nothing else, and is one order there', async () => {
  const begun = await begin({ vendor: { idempotencyKeys: 'ignored' } })
  const { feishu, vendor, accountId, service } = begun
  const file = await backUp(begun.url)
  const { backgroundCheckId: id } = feishu.createOrder({ ...tenant, accountId })
  await until('the order at the vendor', () => vendor.orderCount(id) === 1)
  await eventually(async () => (await order(service, id))['state']).toBe('ordered')
  await stop(service)
  const restored = await serve(begun.side, await restore(file, service))
  expect((await restored.api('GET', `/v1/orders/${id}`)).status).toBe(404)
  const created = feishu.events().find(({ eventType }) => eventType.includes('check.created'))
  await deliver(feishu, created?.eventId ?? '')
  await eventually(async () => (await order(restored, id))['state']).toBe('ordered')
  expect(vendor.orderCount(id)).toBe(1)
  expect(vendor.calls({ operation: 'orders.create' })).toHaveLength(1)
})
