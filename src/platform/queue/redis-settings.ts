import type { Redis } from 'ioredis'
import type { Logger } from '../logger.js'

export const leastMajor = 7

/** What `INFO` says of one server, by its field. https://redis.io/docs/latest/commands/info/ */
export function readInfo(info: string): (field: string) => string | undefined {
  return (field) => new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}

export function versionOf(read: (field: string) => string | undefined): string | undefined {
  return read('valkey_version') ?? read('redis_version')
}

/** BullMQ says this on the console, once for each of its connections; here it is one line of the log. */
export async function warnOfSettings(redis: Redis, log: Logger): Promise<void> {
  // Without an answer there is nothing to warn of; that it is away others say.
  const read = readInfo(await redis.info().catch(() => ''))
  const policy = read('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    const line = { event: 'redis.eviction_policy', expected: 'noeviction', found: policy }
    log.warn(line, 'Redis may throw hints and rate slots away: set maxmemory-policy noeviction')
  }
  const version = versionOf(read)
  if (version !== undefined && Number.parseInt(version, 10) < leastMajor) {
    log.warn({ event: 'redis.version', expected: `${leastMajor} or later`, found: version }, 'this Redis is too old')
  }
}
