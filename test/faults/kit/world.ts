import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import {
  type FeishuOptions,
  type RateLimit,
  type SandboxFeishu,
  type SandboxVendor,
  startSandboxFeishu,
  startSandboxVendor,
} from '../../../src/sandbox/index.js'
import { apps, customers } from './customers.js'
import { Disk } from './disk.js'
import { Embedded } from './embedded.js'
import { type Link, startLink } from './link.js'
import type { RunPlan } from './plan.js'
import { OwnPostgres } from './postgres.js'
import { type OwnRedis, startOwnRedis } from './redis.js'
import { Service } from './services.js'

/** One process and its ways to everything else. */
export interface Place {
  service: Service
  links: { feishu: Link; vendor: Link; postgres?: Link; redis?: Link }
}

/** Both sandboxes, the stores and the processes of one run, with links between all of them. */
export interface World {
  plan: RunPlan
  feishu: SandboxFeishu
  vendor: SandboxVendor
  places: Place[]
  /** From Feishu to the service. */
  webhook: Link
  postgres?: OwnPostgres
  redis?: OwnRedis
  embedded?: Embedded
  disk?: Disk
  /** What the service has written, past every link. */
  read<T extends pg.QueryResultRow>(sql: string): Promise<T[]>
  stop(): Promise<void>
}

export const apiKey = 'operator-key-of-24-chars-or-more'
const vendorKey = 'vendor-key-of-the-sandbox'
const windows = [
  { limit: 5, windowMs: 1000 },
  { limit: 80, windowMs: 60_000 },
]

export async function startWorld(plan: RunPlan): Promise<World> {
  const stops: Array<() => Promise<unknown>> = []
  const stop = async () => {
    for (const each of stops.splice(0).toReversed()) await each()
  }
  try {
    return { ...(await build(plan, stops)), stop }
  } catch (failure) {
    await stop()
    throw failure
  }
}

async function build(plan: RunPlan, stops: Array<() => Promise<unknown>>): Promise<Omit<World, 'stop'>> {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-faults-'))
  stops.push(() => rm(folder, { recursive: true, force: true, maxRetries: 20 }))
  await writeFile(join(folder, 'apps.json'), JSON.stringify(apps.map(appEntry)))
  const { feishu, vendor } = await startSandboxes(plan, windows)
  stops.push(
    () => feishu.stop(),
    () => vendor.stop(),
  )
  const base = { plan, feishu, vendor }
  if (plan.mode === 'one process') {
    const disk = plan.faults.some(({ name }) => name === 'disk full') ? await Disk.mount(folder) : undefined
    if (disk) stops.push(() => disk.unmount())
    const dataDir = join(disk?.folder ?? folder, 'data')
    await mkdir(dataDir, { recursive: true })
    const embedded = new Embedded(dataDir)
    // The folder goes only when nobody writes to it any more.
    stops.push(() => embedded.kill())
    const places = await startPlaces(1, folder, base, { BGC_DATA_DIR: dataDir }, {}, stops)
    const webhook = await openDoor(feishu, places, stops)
    return { ...base, places, webhook, embedded, ...(disk && { disk }), read: (sql) => embedded.read(sql) }
  }
  const postgres = await OwnPostgres.start()
  stops.push(() => postgres.stop())
  if (plan.faults.some(({ name }) => name === 'postgres fails over')) await postgres.follow()
  const redis = await startOwnRedis()
  stops.push(() => redis.stop())
  const places = await startPlaces(2, folder, base, {}, { postgres, redis }, stops)
  const webhook = await openDoor(feishu, places, stops)
  return { ...base, places, webhook, postgres, redis, read: (sql) => postgres.read(sql) }
}

export async function startSandboxes(
  { switches, vendorOffers }: Pick<RunPlan, 'switches' | 'vendorOffers'>,
  rateLimits: readonly RateLimit[],
  more: Pick<FeishuOptions, 'ackTimeoutMs'> = {},
) {
  const feishu = await startSandboxFeishu({
    ...more,
    apps,
    tenants: customers.map(({ appId, tenantKey }) => ({ tenantKey, appIds: [appId] })),
    switches,
    rateLimits,
  })
  const vendor = await startSandboxVendor({ apiKey: vendorKey, capabilities: vendorOffers })
  return { feishu, vendor }
}

interface Stores {
  postgres?: OwnPostgres
  redis?: OwnRedis
}

async function startPlaces(
  count: number,
  folder: string,
  { feishu, vendor }: Pick<World, 'feishu' | 'vendor'>,
  env: Record<string, string>,
  { postgres, redis }: Stores,
  stops: Array<() => Promise<unknown>>,
): Promise<Place[]> {
  const places: Place[] = []
  for (let index = 0; index < count; index += 1) {
    const open = async (to: string, port: number) => {
      const link = await startLink(`${index + 1}–${to}`, [port])
      stops.push(() => link.stop())
      return link
    }
    const links: Place['links'] = {
      feishu: await open('feishu', feishu.port),
      vendor: await open('vendor', vendor.port),
      ...(postgres && { postgres: await open('postgres', postgres.port) }),
      ...(redis && { redis: await open('redis', redis.port) }),
    }
    const service = new Service(String(index + 1), { ...environment(folder, links, postgres), ...env }, folder)
    stops.push(() => service.stop())
    places.push({ service, links })
  }
  await Promise.all(places.map(({ service }) => service.start()))
  return places
}

async function openDoor(feishu: SandboxFeishu, places: readonly Place[], stops: Array<() => Promise<unknown>>) {
  const ports = places.map(({ service }) => service.port)
  const webhook = await startLink('feishu–service', ports)
  stops.push(() => webhook.stop())
  for (const { appId } of apps) feishu.setEventUrl(appId, `${webhook.url}/webhooks/feishu/${appId}/events`)
  return webhook
}

function environment(folder: string, links: Place['links'], postgres?: OwnPostgres): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env
  return {
    PATH,
    HOME,
    LOG_LEVEL: 'debug',
    ...environmentOf(links, windows),
    FEISHU_APPS_FILE: join(folder, 'apps.json'),
    ...(links.postgres && postgres && { DATABASE_URL: postgres.urlAt(links.postgres.port) }),
  }
}

/** What every process is told, but for its apps and its database. */
export function environmentOf(
  { feishu, vendor, redis }: { feishu: { url: string }; vendor: { url: string }; redis?: { port: number } },
  windows: readonly RateLimit[],
): Record<string, string> {
  return {
    HOST: '127.0.0.1',
    BGC_API_KEYS: `test:${apiKey}`,
    BGC_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
    FEISHU_BASE_URL: feishu.url,
    FEISHU_RATE_LIMITS: windows.map(({ limit, windowMs }) => `${limit}/${windowMs / 1000}s`).join(','),
    FEISHU_RETRY_BASE_MS: '50',
    FEISHU_RETRY_MAX_MS: '1000',
    FEISHU_TIMEOUT_MS: '2000',
    VENDOR_BASE_URL: vendor.url,
    VENDOR_API_KEY: vendorKey,
    VENDOR_TIMEOUT_MS: '2000',
    VENDOR_POLL_MIN_MS: '100',
    VENDOR_POLL_MAX_MS: '500',
    ...(redis && { REDIS_URL: `redis://127.0.0.1:${redis.port}` }),
  }
}

export function appEntry({ appId, appSecret, appType, encryptKey, verificationToken }: (typeof apps)[number]) {
  return {
    app_id: appId,
    app_secret: appSecret,
    app_type: appType,
    encrypt_key: encryptKey,
    verification_token: verificationToken,
  }
}
