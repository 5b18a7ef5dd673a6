import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { inject } from 'vitest'
import { readTarget } from '../../src/platform/database/migrate.js'
import type { RateLimit, SandboxFeishu, SandboxVendor } from '../../src/sandbox/index.js'
import { apps } from '../faults/kit/customers.js'
import { OwnPostgres } from '../faults/kit/postgres.js'
import { appEntry, environmentOf, startSandboxes } from '../faults/kit/world.js'
import { type ServiceProcess, startProcess } from '../story/processes.js'
import { freshSchema } from '../support/postgres.js'
import { startRedis } from '../support/redis.js'

/** One process of the service, whole, as an orchestrator starts it. */
export interface Member {
  /** Its BGC_ROLES. */
  roles: string
  url: string
  process: ServiceProcess
}

/** Both sandboxes, one PostgreSQL, one Redis, and as many processes as a test starts. */
export interface Fleet {
  feishu: SandboxFeishu
  vendor: SandboxVendor
  folder: string
  databaseUrl: string
  redis: { port: number; url: string }
  /** Settles when it is up; its address is of that process alone. */
  start(roles: string, env?: Record<string, string>): Promise<Member>
  read: <T extends pg.QueryResultRow>(sql: string) => Promise<T[]>
  stop: () => Promise<void>
}

interface FleetOptions {
  windows: readonly RateLimit[]
  env?: Record<string, string>
  switches?: Parameters<typeof startSandboxes>[0]['switches']
  vendorOffers?: Parameters<typeof startSandboxes>[0]['vendorOffers']
  /** A PostgreSQL server instead of a schema: many processes want more connections than are left beside other tests. */
  ownPostgres?: boolean
}

/** What a busy machine needs, on both sides: no test of this folder is about calls or pushes that time out. */
const patienceMs = 10_000

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-scale-'))
  const redis = await startRedis()
  const { switches = {}, vendorOffers = { batch: true, changes: false }, windows } = options
  const { feishu, vendor } = await startSandboxes({ switches, vendorOffers }, windows, { ackTimeoutMs: patienceMs })
  const postgres = options.ownPostgres === true ? await OwnPostgres.start() : undefined
  const databaseUrl = postgres?.urlAt(postgres.port) ?? freshSchema(inject('databaseUrl'))
  const reader = new pg.Pool({ ...readTarget(databaseUrl).connection, max: 2 })
  // A server of its own may end before the last connection to it has.
  reader.on('error', () => undefined)
  await writeFile(join(folder, 'apps.json'), JSON.stringify(apps.map(appEntry)))
  const shared = {
    ...environmentOf({ feishu, vendor, redis }, windows),
    PORT: '0',
    DATABASE_URL: databaseUrl,
    FEISHU_APPS_FILE: join(folder, 'apps.json'),
    FEISHU_TIMEOUT_MS: String(patienceMs),
    VENDOR_TIMEOUT_MS: String(patienceMs),
    ...options.env,
  }
  const launched: ServiceProcess[] = []
  return {
    feishu,
    vendor,
    folder,
    databaseUrl,
    redis,
    start: async (roles, env) => {
      const process = startProcess({ ...shared, BGC_ROLES: roles, ...env })
      launched.push(process)
      await process.started
      return { roles, process, url: `http://127.0.0.1:${portOf(process)}` }
    },
    read: async <T extends pg.QueryResultRow>(sql: string) => (await reader.query<T>(sql)).rows,
    stop: async () => {
      await Promise.all(launched.map((process) => process.kill()))
      await Promise.all([feishu.stop(), vendor.stop(), reader.end()])
      await Promise.all([redis.stop(), postgres?.stop()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Where a started process listens, as its log says. */
function portOf({ lines }: ServiceProcess): number {
  const line = lines.find((each) => each.includes('"app.started"'))
  const said: unknown = line === undefined ? undefined : JSON.parse(line)
  if (typeof said !== 'object' || said === null || !('port' in said)) throw new Error('the process is not up')
  return Number(said.port)
}

/** The sum of one metric of one process, over the values of its labels that `having` is part of. */
export async function metricOf({ url }: Member, name: string, having = ''): Promise<number> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
  const own = lines.filter(
    (line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(having),
  )
  return own.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}
