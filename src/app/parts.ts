import type { Overrides, Parts } from '../app.js'
import type { Config } from '../config.js'
import { createKeepers } from '../flow/keepers.js'
import type { FeishuAccess } from '../flow/to-feishu/access.js'
import type { FeishuReads } from '../flow/to-feishu/reads.js'
import type { VendorAccess } from '../flow/vendor/access.js'
import type { VendorAdapter } from '../flow/vendor/adapter.js'
import { createMetrics } from '../operate/metrics.js'
import { createSealer } from '../platform/crypto/sealer.js'
import type { Database } from '../platform/database/database.js'
import type { Lifetime } from '../platform/lifetime.js'
import { memoryLimiter } from '../platform/limiter/memory.js'
import type { Logger } from '../platform/logger.js'
import { createLocalHints } from '../platform/queue/hints.js'

/** The two who are called: each is loaded and opened when somebody first asks for it, and stops after all who asked. */
export interface Access {
  feishu: () => Promise<FeishuAccess>
  vendor: () => Promise<VendorAccess>
}

/** What every role shares. */
export async function startParts(
  config: Config,
  log: Logger,
  database: Database,
  lifetime: Lifetime,
  overrides: Overrides,
): Promise<{ parts: Parts; access: Access }> {
  const { redis, hints, limiter } = await startNerve(config, log, lifetime, overrides)
  const sealer = createSealer(config.encryptionKeys)
  const base = {
    config,
    log,
    database,
    sealer,
    hints: lifetime.add(hints),
    limiter,
    metrics: createMetrics(),
    keepers: createKeepers(sealer),
    ...(redis && { redis }),
    random: overrides.random ?? Math.random,
    lookAfterMs: overrides.lookAfterMs ?? [2000, 10_000, 60_000],
  }
  const feishu = lifetime.add(createLateFeishu(base))
  const parts: Parts = { ...base, reads: feishu.reads }
  const vendor = lifetime.add(createLateVendor(parts, overrides.vendor))
  return { parts, access: { feishu: feishu.open, vendor: vendor.open } }
}

/** What tells other processes, and counts with them; its libraries are loaded only where there is a Redis. */
async function startNerve(config: Config, log: Logger, lifetime: Lifetime, overrides: Overrides) {
  if (config.redis === undefined) {
    return { hints: overrides.hints ?? createLocalHints(), limiter: overrides.limiter ?? memoryLimiter() }
  }
  const { connectRedis } = await import('../platform/queue/redis.js')
  const { createBullHints } = await import('../platform/queue/bull.js')
  const { redisLimiter } = await import('../platform/limiter/redis.js')
  const redis = connectRedis(config.redis, log, 'commands')
  lifetime.add({ stop: async () => redis.disconnect() })
  const hints = overrides.hints ?? createBullHints({ redis: config.redis, log })
  return { redis, hints, limiter: overrides.limiter ?? redisLimiter({ redis }) }
}

/** A process without the role `sync` asks Feishu now and then only: the SDK is loaded when it first does. */
function createLateFeishu(parts: Omit<Parts, 'reads'>) {
  let opening: Promise<FeishuAccess> | undefined
  const load = async () => (await import('../flow/to-feishu/access.js')).createFeishuAccess(parts)
  const open = (): Promise<FeishuAccess> => {
    opening ??= load()
    return opening
  }
  const reads: FeishuReads = {
    ask: async (...question) => (await open()).reads.ask(...question),
    askWith: async (...question) => (await open()).reads.askWith(...question),
  }
  // Whoever opened it has heard why it could not be.
  return { open, reads, stop: async () => (await opening?.catch(() => undefined))?.stop() }
}

/** One adapter for whoever calls the vendor here. A receiver needs it only when a report is asked for. */
function createLateVendor(parts: Parts, override?: VendorAdapter) {
  let opening: Promise<VendorAccess> | undefined
  const load = async () => (await import('../flow/vendor/access.js')).openVendor(parts, override)
  const open = (): Promise<VendorAccess> => {
    opening ??= load().catch((failure: unknown) => {
      opening = undefined
      throw failure
    })
    return opening
  }
  // Whoever opened it has heard why it could not be.
  return { open, stop: async () => (await opening?.catch(() => undefined))?.stop() }
}
