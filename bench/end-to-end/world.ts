import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { migrate } from '../../src/platform/database/migrate.js'
import { type Child, startChild } from '../support/child.js'
import { cpuMsOf, postgresCpuMs } from '../support/cpu.js'
import { appEnv, serviceEnv } from '../support/service-env.js'
import { emptyRedis, type Stores } from '../support/stores.js'
import { operatorKey, pollMinMs, type Settings, storeApp, tenantsOf, vendorKey, type Way } from './settings.js'

export const roles = ['receiver', 'poller', 'sync'] as const
export type Part = (typeof roles)[number] | 'feishu' | 'vendor'

/** One process of each role, between both sandboxes, with an empty database. */
export interface World {
  feishu: Child
  vendor: Child
  /** CPU of each until now, in ms; of PostgreSQL, all of its processes. */
  cpu(): Promise<Record<Part | 'postgres' | 'redis', number>>
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
  const { stageAfterMs, resultAfterMs } = settings
  const places = {
    FEISHU_BASE_URL: await feishu.ask<string>('setUp', tenantsOf(settings)),
    VENDOR_BASE_URL: await vendor.ask<string>('setUp', { changes: way === 'feed', stageAfterMs, resultAfterMs }),
    DATABASE_URL: url,
    REDIS_URL: stores.redisUrl,
  }
  const start = (role: string) => {
    const env = { ...roleEnv, ...places, ...(way === 'nudge' && rarePolls), BGC_ROLES: role }
    return startChild('end-to-end/service', { env, logFile: join(stores.folder, `${role}.log`) })
  }
  const [receiver, poller, sync] = await Promise.all([start('receiver'), start('poller'), start('sync')])
  const parts: Record<Part, Child> = { receiver, poller, sync, feishu, vendor }
  const door = `http://127.0.0.1:${await receiver.ask<number>('port')}`
  await feishu.ask('aim', door)
  if (way === 'nudge') await vendor.ask('notify', { url: door, key: operatorKey })
  const pool = new pg.Pool({ connectionString: stores.databaseUrl, max: 1 })
  const redis = new Redis(stores.redisUrl)
  return {
    feishu,
    vendor,
    cpu: async () => ({
      ...(await ofEach(parts, cpuMsOf)),
      postgres: await postgresCpuMs(pool),
      redis: await redisCpuMs(redis),
    }),
    peakMemory: () => ofEach(parts, peakMiBOf),
    stop: async () => {
      redis.disconnect()
      await pool.end()
      await Promise.all([receiver, poller, sync].map((each) => each.stop()))
      await Promise.all([feishu, vendor].map((each) => each.stop()))
    },
  }
}

const roleEnv = {
  ...serviceEnv,
  ...appEnv(storeApp),
  BGC_API_KEYS: `vendor:${operatorKey}`,
  LOG_LEVEL: 'info',
  VENDOR_API_KEY: vendorKey,
  VENDOR_POLL_MIN_MS: String(pollMinMs),
}

/** As shipped: what a nudge does not tell comes too late to be counted. */
const rarePolls = { VENDOR_POLL_MIN_MS: '30000' }

async function ofEach(parts: Record<Part, Child>, figure: (pid: number) => Promise<number>) {
  const figures = await Promise.all(Object.entries(parts).map(async ([name, { pid }]) => [name, await figure(pid)]))
  // The same names as those of `parts`.
  return Object.fromEntries(figures) as Record<Part, number>
}

/** As Redis says it itself, of all its threads: https://redis.io/docs/latest/commands/info/ */
async function redisCpuMs(redis: Redis): Promise<number> {
  const text = await redis.info('cpu')
  const seconds = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1] ?? Number.NaN)
  return 1000 * (seconds('used_cpu_user') + seconds('used_cpu_sys'))
}

async function peakMiBOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? Number.NaN) / 1024
}
