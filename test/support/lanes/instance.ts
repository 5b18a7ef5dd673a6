import type { Parts } from '../../../src/app.js'
import { type Config, readConfig } from '../../../src/config.js'
import { createKeepers } from '../../../src/flow/keepers.js'
import { createFeishuAccess } from '../../../src/flow/to-feishu/access.js'
import { startFeishuSide } from '../../../src/flow/to-feishu/start.js'
import type { Metrics } from '../../../src/operate/metrics.js'
import type { Database, Sql } from '../../../src/platform/database/database.js'
import type { Started } from '../../../src/platform/lifetime.js'
import type { RateWindow } from '../../../src/platform/limiter/limiter.js'
import type { Hints } from '../../../src/platform/queue/hints.js'
import type { SandboxApp } from '../../../src/sandbox/index.js'
import { seededRandom } from '../../../src/sandbox/support/random.js'
import type { Ground } from '../room.js'
import { type Ending, Mortal } from './mortal.js'
import { type MortalDoor, startMortalDoor } from './mortal-door.js'
import { mortalDatabase, mortalLimiter } from './mortal-parts.js'

/** What all processes of a world share. */
export interface Surroundings {
  ground: Ground
  feishuUrl: string
  apps: readonly SandboxApp[]
  windows: readonly RateWindow[]
  retryMaxAgeMs: number
  timeoutMs: number
  lookAfterMs: readonly number[]
  metrics: Metrics
  limiter: Parts['limiter']
  /** Pumps that hear when a bucket got something to do. */
  listeners: Map<Mortal, (bucket: number) => void>
}

/** One process of the service with the role `sync`, real but for its end. */
export interface Instance {
  life: Mortal
  door: MortalDoor
  /** A transaction of this process; `ended` when it died in the middle, and nobody knows whether it was committed. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T | 'ended'>
  /** As SIGTERM asks for it. */
  stop(): Promise<void>
}

export async function startInstance(
  around: Surroundings,
  real: Database,
  ending: Ending | null,
  seed: number,
): Promise<Instance> {
  const life = new Mortal(ending)
  const door = await startMortalDoor(around.feishuUrl, life)
  const database = mortalDatabase(real, life)
  const base = {
    config: configOf(around, door.url),
    log: around.ground.log,
    database,
    sealer: around.ground.sealer,
    hints: hintsOf(around, life),
    limiter: mortalLimiter(around.limiter, life),
    metrics: around.metrics,
    keepers: createKeepers(around.ground.sealer),
    random: seededRandom(seed),
    lookAfterMs: around.lookAfterMs,
  }
  const access = createFeishuAccess(base)
  const untilEnd = life.ended.then(() => 'ended' as const)
  // It may come to its end before it is up.
  const started = await Promise.race([
    startFeishuSide({ ...base, reads: access.reads }, access),
    untilEnd,
    life.stalled.then(() => 'ended' as const),
  ])
  return {
    life,
    door,
    transaction: (work) => Promise.race([database.transaction(work), untilEnd]),
    stop: () => stop(started, access, life, door, untilEnd),
  }
}

async function stop(
  started: Started | 'ended',
  access: Started,
  life: Mortal,
  door: MortalDoor,
  untilEnd: Promise<'ended'>,
): Promise<void> {
  if (started !== 'ended') await Promise.race([started.stop(), untilEnd])
  if (!life.isDead) await access.stop()
  door.shut()
}

function hintsOf({ listeners }: Surroundings, life: Mortal): Hints {
  return {
    send: (_topic, bucket = '') => {
      for (const wake of listeners.values()) setImmediate(wake, Number(bucket))
    },
    listen: (_topic, wake) => {
      listeners.set(life, (bucket) => wake(String(bucket)))
    },
    stop: async () => undefined,
  }
}

function configOf({ apps, windows, retryMaxAgeMs, timeoutMs }: Surroundings, url: string): Config {
  const file = apps.map((app) => ({
    app_id: app.appId,
    app_secret: app.appSecret,
    app_type: app.appType,
    encrypt_key: app.encryptKey,
    verification_token: app.verificationToken,
  }))
  const config = readConfig(
    {
      FEISHU_BASE_URL: url,
      FEISHU_APPS_FILE: '/apps.json',
      FEISHU_RETRY_BASE_MS: '2',
      FEISHU_RETRY_MAX_MS: '20',
      FEISHU_TIMEOUT_MS: String(timeoutMs),
      VENDOR_BASE_URL: url,
      VENDOR_API_KEY: 'nobody-asks-the-vendor',
    },
    () => JSON.stringify(file),
  )
  // Windows of less than a second, which the environment does not take, keep the test short.
  return {
    ...config,
    feishu: {
      ...config.feishu,
      rateLimits: windows,
      rateLimitsSlow: windows,
      retry: { ...config.feishu.retry, maxAgeMs: retryMaxAgeMs },
    },
  }
}
