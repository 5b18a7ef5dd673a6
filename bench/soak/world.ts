import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SandboxFeishu, SandboxVendor } from '../../src/sandbox/index.js'
import { startSandboxFeishu, startSandboxVendor } from '../../src/sandbox/index.js'
import { Embedded } from '../../test/faults/kit/embedded.js'
import { startLink } from '../../test/faults/kit/link.js'
import type { RunPlan } from '../../test/faults/kit/plan.js'
import { OwnPostgres } from '../../test/faults/kit/postgres.js'
import { startOwnRedis } from '../../test/faults/kit/redis.js'
import { appEntry, environmentOf, type Place, type World } from '../../test/faults/kit/world.js'
import { compiledFolder, compileInto } from '../../test/support/compile.js'
import { operatorKeys } from './operators.js'
import { Process } from './process.js'
import type { Settings } from './settings.js'
import { busiestShare, soakApps, soakTenants, storeApp } from './tenants.js'

const vendorKey = 'vendor-key-of-the-sandbox'

/** A world of the fault kit, for hours: more tenants, the compiled service, its log in a folder. */
export interface SoakWorld extends World {
  processes: Process[]
  /** Kept when something broke. */
  folder: string
}

type Stops = Array<() => Promise<unknown>>

export async function startSoakWorld(settings: Settings, plan: RunPlan): Promise<SoakWorld> {
  const stops: Stops = []
  const stop = async () => {
    for (const each of stops.splice(0).toReversed()) await each()
  }
  try {
    return { ...(await build(settings, plan, stops)), stop }
  } catch (failure) {
    await stop()
    throw failure
  }
}

async function build(settings: Settings, plan: RunPlan, stops: Stops): Promise<Omit<SoakWorld, 'stop'>> {
  const compiled = compiledFolder('bgc-soak')
  await compileInto(compiled)
  const folder = await mkdtemp(join(tmpdir(), 'bgc-soak-'))
  await writeFile(join(folder, 'apps.json'), JSON.stringify(soakApps.map(appEntry)))
  const windows = windowsFor(settings.rate)
  const feishu = await startSandboxFeishu({
    apps: soakApps,
    tenants: soakTenants,
    switches: plan.switches,
    rateLimits: windows,
  })
  stops.push(() => feishu.stop())
  const vendor = await startSandboxVendor({ apiKey: vendorKey, capabilities: plan.vendorOffers })
  stops.push(() => vendor.stop())
  const ground = { program: join(compiled, 'src/main.js'), folder, feishu, vendor, windows, stops }
  const stores = settings.mode === 'redis' ? await startStores(stops) : await startEmbedded(folder, stops)
  const places = await startPlaces(settings.mode === 'redis' ? 2 : 1, ground, stores)
  const webhook = await openDoor(feishu, places, stops)
  const processes = places.map(({ service }) => service)
  return { plan, feishu, vendor, places, processes, webhook, folder, ...stores.world }
}

/** Room for about twice what the busiest tenant sends. */
export function windowsFor(rate: number) {
  const inAMinute = Math.max(80, Math.ceil(rate * busiestShare * 60 * 2 * 2))
  return [
    { limit: Math.ceil(inAMinute / 16), windowMs: 1000 },
    { limit: inAMinute, windowMs: 60_000 },
  ]
}

interface Stores {
  world: Pick<World, 'postgres' | 'redis' | 'embedded' | 'read'>
  env: Record<string, string>
}

async function startStores(stops: Stops): Promise<Stores> {
  const postgres = await OwnPostgres.start()
  stops.push(() => postgres.stop())
  const redis = await startOwnRedis()
  stops.push(() => redis.stop())
  return { world: { postgres, redis, read: (sql) => postgres.read(sql) }, env: {} }
}

async function startEmbedded(folder: string, stops: Stops): Promise<Stores> {
  const dataDir = join(folder, 'data')
  await mkdir(dataDir)
  const embedded = new Embedded(dataDir)
  // A killed service leaves its server behind.
  stops.push(async () => {
    await embedded.kill()
    await rm(dataDir, { recursive: true, force: true, maxRetries: 20 })
  })
  return { world: { embedded, read: (sql) => embedded.read(sql) }, env: { BGC_DATA_DIR: dataDir } }
}

interface Ground {
  program: string
  folder: string
  feishu: SandboxFeishu
  vendor: SandboxVendor
  windows: ReturnType<typeof windowsFor>
  stops: Stops
}

async function startPlaces(count: number, ground: Ground, { world, env }: Stores) {
  const places: Array<Place & { service: Process }> = []
  for (let index = 0; index < count; index += 1) {
    const links = await openLinks(index + 1, ground, world)
    const whole = { ...environmentFor(ground, links, world), ...env }
    const service = new Process(String(index + 1), ground.program, whole, ground.folder)
    ground.stops.push(() => service.stop())
    places.push({ service, links })
  }
  await Promise.all(places.map(({ service }) => service.start()))
  return places
}

async function openLinks(number: number, { feishu, vendor, stops }: Ground, { postgres, redis }: Stores['world']) {
  const open = async (to: string, port: number) => {
    const link = await startLink(`${number}–${to}`, [port])
    stops.push(() => link.stop())
    return link
  }
  return {
    feishu: await open('feishu', feishu.port),
    vendor: await open('vendor', vendor.port),
    ...(postgres && { postgres: await open('postgres', postgres.port) }),
    ...(redis && { redis: await open('redis', redis.port) }),
  }
}

function environmentFor(
  { folder, windows }: Ground,
  links: Place['links'],
  { postgres }: Stores['world'],
): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env
  return {
    PATH,
    HOME,
    ...environmentOf(links, windows),
    LOG_LEVEL: 'info',
    NODE_ENV: 'production',
    BGC_API_KEYS: operatorKeys,
    FEISHU_APPS_FILE: join(folder, 'apps.json'),
    // Sooner than by default, so that what a fault has held up shows within a soak of minutes.
    FEISHU_RETRY_BASE_MS: '200',
    FEISHU_RETRY_MAX_MS: '5000',
    FEISHU_TIMEOUT_MS: '3000',
    VENDOR_TIMEOUT_MS: '3000',
    VENDOR_POLL_MIN_MS: '500',
    VENDOR_POLL_MAX_MS: '5000',
    ...(links.postgres && postgres && { DATABASE_URL: postgres.urlAt(links.postgres.port) }),
  }
}

async function openDoor(feishu: SandboxFeishu, places: readonly Place[], stops: Stops) {
  const ports = places.map(({ service }) => service.port)
  const webhook = await startLink('feishu–service', ports)
  stops.push(() => webhook.stop())
  for (const { appId } of soakApps) feishu.setEventUrl(appId, `${webhook.url}/webhooks/feishu/${appId}/events`)
  const ticket = feishu.sendAppTicket(storeApp.appId)
  await feishu.untilAcknowledged(ticket.eventId)
  return webhook
}
