import type { Database } from '../platform/database/database.js'
import { pendingMigrations } from '../platform/database/migrate.js'
import type { RedisClient } from '../platform/queue/redis-place.js'
import { lackOf } from '../platform/queue/redis-whole.js'
import type { Presence } from './presence.js'

export interface Readiness {
  status: 'ok' | 'degraded' | 'unavailable'
  /** What each part says; nothing of it is secret. */
  checks: Record<string, string>
}

export interface HealthOptions {
  database: Pick<Database, 'pool'>
  redis?: RedisClient
  /** A process that receives can do so without Redis; one that only works cannot. */
  needsRedis: boolean
  presence: Pick<Presence, 'phase'>
}

const withinMs = 2000

/** Whether this process can do its work now. Nobody needs a key to ask: however many do, one looks for all of them. */
export function createHealth(options: HealthOptions): () => Promise<Readiness> {
  let looking: Promise<Readiness> | undefined
  return async () => {
    const { phase } = options.presence
    if (phase !== 'up') return { status: 'unavailable', checks: { process: phase } }
    looking ??= look(options).finally(() => {
      looking = undefined
    })
    return looking
  }
}

async function look(options: HealthOptions): Promise<Readiness> {
  const [database, redis] = await Promise.all([
    within(checkDatabase(options)),
    options.redis === undefined ? undefined : within(checkRedis(options.redis)),
  ])
  const checks = { database, ...(redis !== undefined && { redis }) }
  if (database !== 'ok' || (redis !== undefined && redis !== 'ok' && options.needsRedis))
    return { status: 'unavailable', checks }
  return { status: redis === undefined || redis === 'ok' ? 'ok' : 'degraded', checks }
}

async function checkDatabase({ database }: HealthOptions): Promise<string> {
  const pending = await pendingMigrations(database.pool)
  return pending.length === 0 ? 'ok' : `migrations not applied: ${pending.join(', ')}`
}

async function checkRedis(redis: RedisClient): Promise<string> {
  return (await lackOf(redis)) ?? 'ok'
}

async function within(check: Promise<string>): Promise<string> {
  const late = new Promise<string>((resolve) => setTimeout(resolve, withinMs, 'no answer in time').unref())
  return Promise.race([check.catch(() => 'does not answer'), late])
}
