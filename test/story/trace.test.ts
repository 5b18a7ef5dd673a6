import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, inject, test } from 'vitest'
import { until } from '../../src/sandbox/index.js'
import { type CollectedSpan, startCollector } from '../support/collector.js'
import { freePort } from '../support/free-port.js'
import { freshSchema } from '../support/postgres.js'
import { startRedis } from '../support/redis.js'
import { startRelay } from '../support/relay.js'
import { killAll, startProcess } from './processes.js'
import { appsFile, customApp, environment, eventually, introduce, startSandboxes } from './world.js'

const cleanups: Array<() => Promise<unknown>> = []

afterEach(async () => {
  await killAll()
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** What a person, a result or a link says: it must never be in a trace or a log. */
const canaries = [
  'Kanari Wang',
  '13900001111',
  'kanari@example.com',
  '犯罪记录无',
  'https://files.example.com/kanari.pdf',
]

/** Both sides behind relays that keep the headers, and the environment of processes that export their traces. */
async function startScene(otel: Record<string, string>) {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-trace-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  // Without a changes feed, so that polls find what there is to find.
  const { feishu, vendor } = await startSandboxes({
    vendor: { capabilities: { batch: true, changes: false, tripartite: false } },
  })
  const toFeishu = await startRelay(feishu.url)
  const toVendor = await startRelay(vendor.url)
  cleanups.push(
    () => feishu.stop(),
    () => vendor.stop(),
    () => toFeishu.stop(),
    () => toVendor.stop(),
  )
  const port = await freePort()
  await writeFile(join(folder, 'apps.json'), appsFile)
  const env = {
    ...environment(feishu, vendor),
    PORT: String(port),
    FEISHU_APPS_FILE: join(folder, 'apps.json'),
    FEISHU_BASE_URL: toFeishu.url,
    VENDOR_BASE_URL: toVendor.url,
    DATABASE_URL: freshSchema(inject('databaseUrl')),
    LOG_LEVEL: 'debug',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '50',
    ...otel,
  }
  return { feishu, vendor, toFeishu, toVendor, env, begin: () => introduce(feishu, `http://127.0.0.1:${port}`) }
}

type Scene = Awaited<ReturnType<typeof startScene>>

/** One order from its event to the result in Feishu, full of canaries. */
async function liveOne({ feishu, vendor }: Scene): Promise<{ id: string; eventId: string }> {
  const customer = { appId: customApp.appId, tenantKey: 'tk_custom' }
  const { accountId } = feishu.createAccount(customer)
  const candidate = { name: 'Kanari Wang', mobile: { code: '86', number: '13900001111' }, email: 'kanari@example.com' }
  const made = feishu.createOrder({ ...customer, accountId, candidate })
  const id = made.backgroundCheckId
  await until('the order at the vendor', () => vendor.orderCount(id) === 1, { timeoutMs: 60_000 })
  const reports = [{ name: 'kanari.pdf', url: 'https://files.example.com/kanari.pdf', type: 1 as const }]
  vendor.addStage(id, { id: 'st-1', name: '身份核验', result: '犯罪记录无', reports })
  await until('the stage in Feishu', () => feishu.order(id).stages.length === 1, { timeoutMs: 60_000 })
  vendor.complete(id, { result: '犯罪记录无', reports })
  await until('the result in Feishu', () => feishu.order(id).result !== undefined, { timeoutMs: 60_000 })
  return { id, eventId: made.event.eventId }
}

test('from a push to Feishu’s answers all is one trace, through two processes and the queue between them', async () => {
  const collector = await startCollector()
  const redis = await startRedis()
  cleanups.push(
    () => collector.stop(),
    () => redis.stop(),
  )
  const scene = await startScene({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
  const shared = { ...scene.env, REDIS_URL: redis.url }
  const start = (role: string, more: Record<string, string>) =>
    startProcess({ ...shared, BGC_ROLES: role, OTEL_RESOURCE_ATTRIBUTES: `deployment=${role[0]}`, ...more })
  const receiver = start('receiver', {})
  const worker = start('poller,sync', { PORT: '0' })
  await Promise.all([receiver.started, worker.started])
  scene.begin()
  const { id, eventId } = await liveOne(scene)

  const ofEvent = () => collector.spans().find((span) => span.attributes['bgc.event_id'] === eventId)
  const trace = () => collector.spans().filter((span) => span.traceId === ofEvent()?.traceId)
  const names = () => [...new Set(trace().map((span) => span.name))].toSorted()
  const expected = [
    'deliver update_progress',
    'deliver update_result',
    'feishu update_progress',
    'feishu update_result',
    'poll order',
    'receive event',
    'settle',
    'take effect',
    'vendor placeOrder',
    'vendor task place',
  ]
  await eventually(names).toEqual(expected)
  expect(rootsOf(trace()).map((span) => span.name)).toEqual(['receive event'])
  expect(new Set(trace().map((span) => span.resource['deployment']))).toEqual(new Set(['r', 'p']))
  expect(trace().every((span) => span.resource['service.name'] === 'bgc-bridge')).toBe(true)
  const attempt = trace().find((span) => span.name === 'feishu update_result')
  expect(attempt?.attributes).toMatchObject({ 'http.response.status_code': '200', 'bgc.code': '0' })
  // The first poll finds the order as the vendor has it, one more each the stage and the result; others find nothing.
  expect(collector.spans().filter((span) => span.name === 'poll order').length).toBeLessThanOrEqual(3)

  const placing = scene.toVendor.seen().find(({ method, path }) => method === 'POST' && path === '/orders')
  expect(placing?.headers.traceparent).toContain(ofEvent()?.traceId)
  expect(scene.toFeishu.seen().filter(({ headers }) => headers.traceparent !== undefined)).toEqual([])

  expect(await worker.stop()).toBe(0)
  expect(await receiver.stop()).toBe(0)
  const lines = [...receiver.lines, ...worker.lines]
  const sent = lines.filter((line) => line.includes('"feishu.attempt"') && line.includes(id))
  expect(sent.length).toBeGreaterThanOrEqual(2)
  expect(sent.every((line) => line.includes(`"trace_id":"${ofEvent()?.traceId}"`))).toBe(true)
  const told = collector.raw() + lines.join('\n')
  expect(canaries.filter((canary) => told.includes(canary))).toEqual([])
  expect(collector.paths()).toEqual(['/v1/traces'])
}, 150_000)

/** Spans whose parent is not among them. */
function rootsOf(spans: readonly CollectedSpan[]): CollectedSpan[] {
  const ids = new Set(spans.map((span) => span.spanId))
  return spans.filter((span) => !ids.has(span.parentSpanId))
}

/** Takes connections, and never answers. */
async function startSilence(): Promise<string> {
  const server = createServer((socket) => socket.resume())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(async () => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test.each([
  ['refuses connections', async () => 'http://127.0.0.1:1'],
  ['never answers', startSilence],
])(
  'a collector that %s harms nothing, and does not keep the service from stopping',
  async (_how, place) => {
    const scene = await startScene({ OTEL_EXPORTER_OTLP_ENDPOINT: await place() })
    const service = startProcess(scene.env)
    await service.started
    scene.begin()
    await liveOne(scene)
    expect(await service.stop()).toBe(0)
    expect(service.lines.every((line) => line.startsWith('{'))).toBe(true)
  },
  150_000,
)

test('OTEL_SDK_DISABLED keeps the collector from hearing anything', async () => {
  const collector = await startCollector()
  cleanups.push(() => collector.stop())
  const scene = await startScene({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SDK_DISABLED: 'true' })
  const service = startProcess(scene.env)
  await service.started
  scene.begin()
  await liveOne(scene)
  expect(await service.stop()).toBe(0)
  expect(collector.raw()).toBe('')
  expect(service.lines.join('\n')).not.toContain('trace_id')
}, 150_000)
