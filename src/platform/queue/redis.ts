import { Redis } from 'ioredis'
import type { Logger } from '../logger.js'

/** BullMQ asks Redis to answer within 10 s, also when there is nothing to say. */
const blockingSilenceMs = 20_000

/**
 * A connection on which an answer is missing for longer than any may take is given up for a new one: half-open, as a
 * firewall or a lost host leaves it, it would swallow commands for a quarter of an hour before the kernel says so.
 *
 * `commands`: fails fast while Redis is away, since whoever asks has something better to do than to wait.
 * `blocking`: for BullMQ's workers, which wait for Redis for ever.
 */
export function connectRedis(url: string, log: Logger, use: 'commands' | 'blocking'): Redis {
  const options =
    use === 'commands'
      ? { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 2000, socketTimeout: 3000 }
      : { maxRetriesPerRequest: null, socketTimeout: blockingSilenceMs }
  const redis = new Redis(url, { ...options, retryStrategy: (attempt) => Math.min(attempt * 100, 1000) })
  let isAway = false
  redis.on('error', (failure) => {
    if (!isAway) log.warn({ event: 'redis.away', err: failure }, 'Redis does not answer')
    isAway = true
  })
  redis.on('ready', () => {
    if (isAway) log.info({ event: 'redis.back' }, 'Redis answers again')
    isAway = false
    if (use === 'commands') void warnOfSettings(redis, log)
  })
  return redis
}

const leastMajor = 7

/** BullMQ says this on the console, once for each of its connections; here it is one line of the log. */
async function warnOfSettings(redis: Redis, log: Logger): Promise<void> {
  const info = await redis.info().catch(() => '')
  const read = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  const policy = read('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    const line = { event: 'redis.eviction_policy', expected: 'noeviction', found: policy }
    log.warn(line, 'Redis may throw hints and rate slots away: set maxmemory-policy noeviction')
  }
  const version = read('valkey_version') ?? read('redis_version')
  if (version !== undefined && Number.parseInt(version, 10) < leastMajor) {
    log.warn({ event: 'redis.version', expected: `${leastMajor} or later`, found: version }, 'this Redis is too old')
  }
}
