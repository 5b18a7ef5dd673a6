import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import pg from 'pg'
import { createSealer, type Sealer } from '../../src/platform/crypto/sealer.js'
import { migrate, readTarget } from '../../src/platform/database/migrate.js'
import { type Child, startChild } from '../support/child.js'
import { appEnv, benchApp, encryptionKey, serviceEnv } from '../support/service-env.js'
import type { Stores } from '../support/stores.js'

/** A database of the suite's own, which all of its parts share: filling it takes longer than most of them. */
export interface World {
  stores: Stores
  url: string
  /** Filling the tables takes longer than any statement of the service may. */
  pool: pg.Pool
  sealer: Sealer
  stop(): Promise<void>
}

const app = benchApp('polling', 'store')

export async function startWorld(stores: Stores): Promise<World> {
  await setUp(stores.databaseUrl)
  const url = `${stores.databaseUrl}?schema=b_${randomBytes(4).toString('hex')}`
  await migrate(url)
  const { connection, schema } = readTarget(url)
  const pool = new pg.Pool({ ...connection, options: `-c search_path=${pg.escapeIdentifier(schema)}` })
  return { stores, url, pool, sealer: createSealer([{ id: 'k1', key: encryptionKey }]), stop: () => pool.end() }
}

/** What anybody sets who writes this much: else full pages go to the log after a checkpoint every few seconds. */
async function setUp(databaseUrl: string): Promise<void> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  await client.query(`ALTER SYSTEM SET max_wal_size = '8GB'`)
  await client.query(`ALTER SYSTEM SET checkpoint_timeout = '15min'`)
  await client.query('SELECT pg_reload_conf()')
  await client.end()
}

/** The service in the role that polls. */
export function startPollingService({ stores, url }: World, vendorUrl: string, everyMs: number): Promise<Child> {
  const env = {
    ...serviceEnv,
    ...appEnv(app),
    BGC_ROLES: 'poller',
    LOG_LEVEL: 'warn',
    DATABASE_URL: url,
    REDIS_URL: stores.redisUrl,
    FEISHU_BASE_URL: 'http://127.0.0.1:9',
    VENDOR_BASE_URL: vendorUrl,
    VENDOR_API_KEY: 'none',
    VENDOR_POLL_MIN_MS: String(everyMs),
    VENDOR_POLL_MAX_MS: String(everyMs),
  }
  return startChild('polling/service', { env, logFile: join(stores.folder, 'poller.log') })
}

export function startClaimers({ url }: World, count: number): Promise<Child[]> {
  return Promise.all(Array.from({ length: count }, () => startChild('polling/claimer', { env: { DATABASE_URL: url } })))
}
