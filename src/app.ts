import { beTheOnlyOne, checkKeys, startDatabase } from './app/database.js'
import { startDoors } from './app/doors.js'
import { type Access, startParts } from './app/parts.js'
import { type Config, type Role, roles } from './config.js'
import type { HousekeepingTerms } from './flow/housekeeping/start.js'
import type { Keepers } from './flow/outbox/keepers.js'
import type { SweepTerms } from './flow/reconcile/terms.js'
import { endForeignClaims } from './flow/take-over.js'
import type { FeishuReads } from './flow/to-feishu/reads.js'
import type { VendorAdapter } from './flow/vendor/adapter.js'
import type { AlertTerms } from './operate/alerts/start.js'
import type { Readiness } from './operate/health.js'
import type { Metrics } from './operate/metrics.js'
import { Presence } from './operate/presence.js'
import type { Sealer } from './platform/crypto/sealer.js'
import type { Database } from './platform/database/database.js'
import { Lifetime, type Started } from './platform/lifetime.js'
import type { Limiter } from './platform/limiter/limiter.js'
import type { Logger } from './platform/logger.js'
import type { Hints } from './platform/queue/hints.js'
import type { RedisClient } from './platform/queue/redis-place.js'

/** The parts that every role shares. */
export interface Parts {
  config: Config
  log: Logger
  database: Database
  sealer: Sealer
  hints: Hints
  limiter: Limiter
  metrics: Metrics
  /** The rooms that own the lanes of what belongs to no order. */
  keepers: Keepers
  /** Questions to Feishu, in any role. */
  reads: FeishuReads
  redis?: RedisClient
  random: () => number
  /** After a call to Feishu whose outcome is not known, orders are read after so many ms each (contract §3.11). */
  lookAfterMs: readonly number[]
}

/** Single parts that a test or a tool puts in place of the real ones. */
export interface Overrides {
  vendor?: VendorAdapter
  hints?: Hints
  limiter?: Limiter
  random?: () => number
  lookAfterMs?: readonly number[]
  sweeps?: Partial<SweepTerms>
  housekeeping?: Partial<HousekeepingTerms>
  alerts?: Partial<AlertTerms>
}

export interface App extends Started {
  port: number
  internalPort?: number
  ready(): Promise<Readiness>
  /** Settles when the process must end by itself, with the reason. */
  failed: Promise<string>
  /** Nothing new is begun at once; a receiver's doors stay open for `drainMs`, so that others are led elsewhere. */
  stop(drainMs?: number): Promise<void>
}

/**
 * The composition root: builds what the roles of this process ask for, and nothing else. What only one role needs is
 * loaded for that role.
 */
export async function startApp(config: Config, log: Logger, overrides: Overrides = {}): Promise<App> {
  const lifetime = new Lifetime()
  const presence = new Presence()
  let fail: (reason: string) => void = () => undefined
  const failed = new Promise<string>((resolve) => {
    fail = resolve
  })
  try {
    const database = await startDatabase(config, log, lifetime)
    if (config.redis === undefined) {
      await lifetime.start(beTheOnlyOne(database, log, fail))
      await endForeignClaims(database)
    }
    await checkKeys(database, config)
    const { parts, access } = await startParts(config, log, database, lifetime, overrides)
    const { ports, ready } = await startDoors(parts, access.vendor, lifetime, presence)
    await startWorkers(parts, access, lifetime.add(new Lifetime('at once')), overrides)
    warnOfLoneRole(config, log)
    presence.arrive()
    log.info({ event: 'app.started', roles: config.roles, ...ports }, 'bgc-bridge is up')
    return {
      ...ports,
      ready,
      failed,
      stop: (drainMs = 0) => {
        // Nobody is led to the others.
        presence.leave(has(config, 'receiver') ? drainMs : 0)
        return lifetime.stop()
      },
    }
  } catch (failure) {
    await lifetime.stop()
    throw failure
  }
}

async function startWorkers(parts: Parts, access: Access, workers: Lifetime, overrides: Overrides): Promise<void> {
  if (has(parts.config, 'poller')) {
    const { startPollerRole } = await import('./app/poller.js')
    startPollerRole(parts, await access.vendor(), workers, overrides)
  }
  if (has(parts.config, 'sync')) {
    const { startSyncRole } = await import('./app/sync.js')
    await startSyncRole(parts, await access.feishu(), workers, overrides)
  }
}

/** Without Redis there is one process: what it does not do, nobody does. */
function warnOfLoneRole(config: Config, log: Logger): void {
  const missing = roles.filter((role) => !config.roles.includes(role))
  if (config.redis !== undefined || missing.length === 0) return
  log.warn({ event: 'app.lone_role', missing }, 'without Redis no other process can do what BGC_ROLES leaves out')
}

function has(config: Config, role: Role): boolean {
  return config.roles.includes(role)
}
