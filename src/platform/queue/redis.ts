import { Redis } from 'ioredis'
import type { Logger } from '../logger.js'

/**
 * `commands`: fails fast while Redis is away, since whoever asks has something better to do than to wait.
 * `blocking`: for BullMQ's workers, which wait for Redis for ever.
 */
export function connectRedis(url: string, log: Logger, use: 'commands' | 'blocking'): Redis {
  const options =
    use === 'commands'
      ? { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 2000 }
      : { maxRetriesPerRequest: null }
  const redis = new Redis(url, { ...options, retryStrategy: (attempt) => Math.min(attempt * 100, 1000) })
  let quiet = false
  redis.on('error', (failure) => {
    if (!quiet) log.warn({ event: 'redis.error', err: failure }, 'Redis does not answer')
    quiet = true
  })
  redis.on('ready', () => {
    quiet = false
  })
  return redis
}
