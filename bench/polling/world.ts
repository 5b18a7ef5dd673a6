import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { createSealer, type Sealer } from '../../src/platform/crypto/sealer.js'
import { migrate, readTarget } from '../../src/platform/database/migrate.js'
import { type Child, startChild } from '../support/child.js'
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

const key = Buffer.alloc(32, 7)

export async function startWorld(stores: Stores): Promise<World> {
  await setUp(stores.databaseUrl)
  const url = `${stores.databaseUrl}?schema=b_${randomBytes(4).toString('hex')}`
  await migrate(url)
  const { connection, schema } = readTarget(url)
  const pool = new pg.Pool({ ...connection, options: `-c search_path=${pg.escapeIdentifier(schema)}` })
  return { stores, url, pool, sealer: createSealer([{ id: 'k1', key }]), stop: () => pool.end() }
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
    HOST: '127.0.0.1',
    PORT: '0',
    BGC_ROLES: 'poller',
    BGC_AUTO_MIGRATE: 'false',
    LOG_LEVEL: 'warn',
    BGC_ENCRYPTION_KEYS: `k1:${key.toString('base64')}`,
    DATABASE_URL: url,
    REDIS_URL: stores.redisUrl,
    FEISHU_BASE_URL: 'http://127.0.0.1:9',
    FEISHU_APPS_FILE: 'apps.json',
    VENDOR_BASE_URL: vendorUrl,
    VENDOR_API_KEY: 'none',
    VENDOR_POLL_MIN_MS: String(everyMs),
    VENDOR_POLL_MAX_MS: String(everyMs),
    BENCH_APPS: JSON.stringify([app]),
  }
  return startChild('polling/service', { env, logFile: join(stores.folder, 'poller.log') })
}

export function startClaimers({ url }: World, count: number): Promise<Child[]> {
  return Promise.all(Array.from({ length: count }, () => startChild('polling/claimer', { env: { DATABASE_URL: url } })))
}

const app = {
  app_id: 'cli_bench',
  app_secret: 'app-secret',
  app_type: 'store',
  encrypt_key: 'encrypt-key',
  verification_token: 'verification-token',
}

const ticksPerSecond = 100

/** CPU of PostgreSQL's processes that are there now, in ms; each is taken before and after. */
export async function postgresCpu({ pool }: World): Promise<Map<number, number>> {
  const { rows } = await pool.query<{ pid: number }>('SELECT pid FROM pg_stat_activity WHERE pid IS NOT NULL')
  return new Map(rows.filter(({ pid }) => existsSync(`/proc/${pid}`)).map(({ pid }) => [pid, cpuMsOf(pid)]))
}

export function cpuBetween(before: Map<number, number>, after: Map<number, number>): number {
  let total = 0
  for (const [pid, ms] of after) total += ms - (before.get(pid) ?? 0)
  return total
}

function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1000
}
