import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { migrate } from '../../src/platform/database/migrate.js'
import { type Child, startChild } from '../support/child.js'
import type { Stores } from '../support/stores.js'
import { postgresCpuMs } from '../sync/postgres-cpu.js'
import { operatorKey, pollMinMs, type Settings, storeApp, tenantsOf, vendorKey, type Way } from './settings.js'

export const roles = ['receiver', 'poller', 'sync'] as const
export type Part = (typeof roles)[number] | 'feishu' | 'vendor'

/** One process of each role, between both sandboxes, with an empty database. */
export interface World {
  feishu: Child
  vendor: Child
  /** CPU of each process until now, in ms. */
  cpu(): Promise<Record<Part | 'postgres', number>>
  /** The most that each process has held, in MiB. */
  peakMemory(): Promise<Record<Part, number>>
  stop(): Promise<void>
}

export async function startWorld(stores: Stores, settings: Settings, way: Way): Promise<World> {
  const schema = `b_${randomBytes(4).toString('hex')}`
  const url = `${stores.databaseUrl}?schema=${schema}`
  await migrate(url)
  await emptyRedis(stores.redisUrl)
  const [feishu, vendor] = await Promise.all([startChild('end-to-end/feishu'), startChild('end-to-end/vendor')])
  const places = {
    FEISHU_BASE_URL: await feishu.ask<string>('setUp', tenantsOf(settings)),
    VENDOR_BASE_URL: await vendor.ask<string>('setUp', { changes: way === 'feed' }),
    DATABASE_URL: url,
    REDIS_URL: stores.redisUrl,
  }
  const start = (role: string) => {
    const env = { ...serviceEnv, ...places, ...(way === 'nudge' && rarePolls), BGC_ROLES: role }
    return startChild('end-to-end/service', { env, logFile: join(stores.folder, `${role}.log`) })
  }
  const [receiver, poller, sync] = await Promise.all([start('receiver'), start('poller'), start('sync')])
  const parts: Record<Part, Child> = { receiver, poller, sync, feishu, vendor }
  const door = `http://127.0.0.1:${await receiver.ask<number>('port')}`
  await feishu.ask('aim', door)
  if (way === 'nudge') await vendor.ask('notify', { url: door, key: operatorKey })
  const pool = new pg.Pool({ connectionString: stores.databaseUrl, max: 1 })
  return {
    feishu,
    vendor,
    cpu: async () => ({ ...(await ofEach(parts, cpuMsOf)), postgres: await postgresCpuMs(pool) }),
    peakMemory: () => ofEach(parts, peakMiBOf),
    stop: async () => {
      await pool.end()
      await Promise.all([receiver, poller, sync].map((each) => each.stop()))
      await Promise.all([feishu, vendor].map((each) => each.stop()))
    },
  }
}

const serviceEnv = {
  HOST: '127.0.0.1',
  PORT: '0',
  BGC_AUTO_MIGRATE: 'false',
  BGC_API_KEYS: `vendor:${operatorKey}`,
  BGC_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
  LOG_LEVEL: 'info',
  FEISHU_APP_ID: storeApp.appId,
  FEISHU_APP_SECRET: storeApp.appSecret,
  FEISHU_APP_TYPE: storeApp.appType,
  FEISHU_ENCRYPT_KEY: storeApp.encryptKey,
  FEISHU_VERIFICATION_TOKEN: storeApp.verificationToken,
  VENDOR_API_KEY: vendorKey,
  VENDOR_POLL_MIN_MS: String(pollMinMs),
}

/** As shipped: what a nudge does not tell comes too late to be counted. */
const rarePolls = { VENDOR_POLL_MIN_MS: '30000' }

async function emptyRedis(url: string): Promise<void> {
  const redis = new Redis(url)
  await redis.flushall()
  redis.disconnect()
}

async function ofEach(parts: Record<Part, Child>, figure: (pid: number) => Promise<number>) {
  const figures = await Promise.all(Object.entries(parts).map(async ([name, { pid }]) => [name, await figure(pid)]))
  // The same names as those of `parts`.
  return Object.fromEntries(figures) as Record<Part, number>
}

/** proc(5); NaN where there is no /proc. */
async function cpuMsOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return 10 * (Number(fields[11] ?? Number.NaN) + Number(fields[12] ?? Number.NaN))
}

async function peakMiBOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? Number.NaN) / 1024
}
