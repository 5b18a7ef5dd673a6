import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { createTokenStore } from '../../src/flow/to-feishu/tokens-store.js'
import { createSealer, type Sealer } from '../../src/platform/crypto/sealer.js'
import { type Database, openDatabase } from '../../src/platform/database/database.js'
import { migrate } from '../../src/platform/database/migrate.js'
import { createLogger } from '../../src/platform/logger.js'
import { createBullHints } from '../../src/platform/queue/bull.js'
import type { Hints } from '../../src/platform/queue/hints.js'
import { type Child, startChild } from '../support/child.js'
import { sum } from '../support/figures.js'
import { encryptionKey, nodeArgs, serviceEnv } from '../support/service-env.js'
import { emptyRedis, type Stores } from '../support/stores.js'
import type { Usage } from './service.js'
import { customApp, storeApp, type Window } from './settings.js'

/** A database with nothing in it, an empty Redis, and processes of the service that send what is due. */
export interface World {
  database: Database
  sealer: Sealer
  hints: Hints
  /** Over all processes. */
  usage(): Promise<Usage>
  stop(): Promise<void>
}

export interface WorldOptions {
  stores: Stores
  feishuUrl: string
  processes: number
  windows: readonly Window[]
}

export async function startWorld({ stores, feishuUrl, processes, windows }: WorldOptions): Promise<World> {
  const url = `${stores.databaseUrl}?schema=b_${randomBytes(4).toString('hex')}`
  await migrate(url)
  await emptyRedis(stores.redisUrl)
  const log = createLogger('silent')
  const database = openDatabase({ url, log })
  const sealer = createSealer([{ id: 'k1', key: encryptionKey }])
  await createTokenStore(database.pool, sealer).saveTicket(storeApp.appId, 'ticket', '1', Date.now())
  const hints = createBullHints({ redis: { kind: 'single', url: stores.redisUrl }, log })
  const env = {
    ...serviceEnv,
    BGC_ROLES: 'sync',
    DATABASE_URL: url,
    REDIS_URL: stores.redisUrl,
    FEISHU_BASE_URL: feishuUrl,
    FEISHU_APPS_FILE: 'apps.json',
    FEISHU_RATE_LIMITS: windows.map(({ limit, windowMs }) => `${limit}/${windowMs / 1000}s`).join(','),
    VENDOR_BASE_URL: 'http://127.0.0.1:9',
    VENDOR_API_KEY: 'none',
    BENCH_APPS: JSON.stringify([customApp, storeApp].map(appEntry)),
  }
  const logFile = join(stores.folder, 'service.log')
  const start = () => startChild('sync/service', { env, logFile, nodeArgs: nodeArgs() })
  const services = await Promise.all(Array.from({ length: processes }, start))
  return {
    database,
    sealer,
    hints,
    usage: async () => total(await Promise.all(services.map((each) => each.ask<Usage>('usage')))),
    stop: async () => {
      await Promise.all(services.map((each: Child) => each.stop()))
      await hints.stop()
      await database.stop()
    },
  }
}

export function difference(after: Usage, before: Usage): Usage {
  return {
    cpuMs: after.cpuMs - before.cpuMs,
    statements: after.statements - before.statements,
    slotCommands: after.slotCommands - before.slotCommands,
    slotTurns: after.slotTurns - before.slotTurns,
    hintCommands: after.hintCommands - before.hintCommands,
    rssMb: after.rssMb,
  }
}

function total(all: readonly Usage[]): Usage {
  const of = (name: keyof Usage) => sum(all.map((each) => each[name]))
  return {
    cpuMs: of('cpuMs'),
    statements: of('statements'),
    slotCommands: of('slotCommands'),
    slotTurns: of('slotTurns'),
    hintCommands: of('hintCommands'),
    rssMb: of('rssMb'),
  }
}

function appEntry({ appId, appSecret, appType, encryptKey, verificationToken }: typeof customApp) {
  return {
    app_id: appId,
    app_secret: appSecret,
    app_type: appType,
    encrypt_key: encryptKey,
    verification_token: verificationToken,
  }
}
