import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import pg from 'pg'
import { migrate } from '../../src/platform/database/migrate.js'
import {
  type SandboxFeishu,
  type SandboxVendor,
  startSandboxFeishu,
  startSandboxVendor,
} from '../../src/sandbox/index.js'
import { type Child, startChild } from '../support/child.js'
import { appEnv, benchApp, serviceEnv } from '../support/service-env.js'
import type { Stores } from '../support/stores.js'

/** Both sandboxes and one process of the service between them, on an empty database and an empty Redis. */
export interface World {
  feishu: SandboxFeishu
  vendor: SandboxVendor
  service: Child
  sql: pg.Client
  redis: Redis
  stop(): Promise<void>
}

/** Its id is in most rows: another length would be another weight. */
export const app = { ...benchApp('capacity', 'custom'), appId: 'cli_capacity0001' }
export const tenantKey = '736588c9260f175d'
const vendorKey = 'vendor-key-of-the-sandbox'

export async function startWorld(stores: Stores): Promise<World> {
  const schema = `capacity_${randomBytes(4).toString('hex')}`
  const url = `${stores.databaseUrl}?schema=${schema}`
  await migrate(url)
  const redis = new Redis(stores.redisUrl)
  await redis.flushall()
  const feishu = await startSandboxFeishu({ apps: [app], tenants: [{ tenantKey, appIds: [app.appId] }] })
  const vendor = await startSandboxVendor({ apiKey: vendorKey })
  const service = await startChild('capacity/service', { env: environment(feishu, vendor, url, stores.redisUrl) })
  const port = await service.ask<number>('port')
  feishu.setEventUrl(app.appId, `http://127.0.0.1:${port}/webhooks/feishu/${app.appId}/events`)
  const sql = new pg.Client({ connectionString: stores.databaseUrl, options: `-c search_path=${schema}` })
  await sql.connect()
  return {
    feishu,
    vendor,
    service,
    sql,
    redis,
    stop: async () => {
      await sql.end()
      await service.stop()
      await Promise.all([feishu.stop(), vendor.stop()])
      redis.disconnect()
    },
  }
}

function environment(feishu: SandboxFeishu, vendor: SandboxVendor, url: string, redisUrl: string) {
  return {
    ...serviceEnv,
    ...appEnv(app),
    DATABASE_URL: url,
    REDIS_URL: redisUrl,
    FEISHU_BASE_URL: feishu.url,
    VENDOR_BASE_URL: vendor.url,
    VENDOR_API_KEY: vendorKey,
    VENDOR_POLL_MIN_MS: '200',
    VENDOR_POLL_MAX_MS: '1000',
  }
}
