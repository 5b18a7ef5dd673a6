import { createLogger } from '../../platform/logger.js'
import { connectRedis } from '../../platform/queue/redis.js'
import { type Check, doubt, type Found, ok, skipped, wrong } from './check.js'

const withinMs = 5000

export const redisCheck: Check = {
  name: 'Redis',
  run: async ({ config: { redisUrl } }) => {
    if (redisUrl === undefined) return skipped('REDIS_URL is not set: one process, and the queue on PostgreSQL')
    const redis = connectRedis(redisUrl, createLogger('silent'), 'commands')
    try {
      await new Promise<void>((resolve, reject) => {
        setTimeout(reject, withinMs, new Error(`no connection within ${withinMs} ms`)).unref()
        redis.once('ready', () => resolve())
      })
      return judge(await redis.info())
    } catch {
      // What is wrong is one of these; the client's own words may hold the password of the address.
      return wrong(
        'it does not answer, or refuses the user and password',
        'check REDIS_URL, that Redis runs, and that this machine may connect',
      )
    } finally {
      redis.disconnect()
    }
  },
}

function judge(info: string): Found[] {
  const read = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  const version = read('valkey_version') ?? read('redis_version') ?? 'unknown'
  const policy = read('maxmemory_policy')
  const [used, most] = [Number(read('used_memory')), Number(read('maxmemory'))]
  const found = [
    ...(Number.parseInt(version, 10) < 7 ? wrong(`this is version ${version}`, 'use Redis 7 or Valkey') : []),
    ...(policy !== undefined && policy !== 'noeviction'
      ? wrong(
          `maxmemory-policy is ${policy}: hints and rate slots may be thrown away`,
          'set maxmemory-policy noeviction',
        )
      : []),
    ...(read('role') === 'slave' ? wrong('it is a replica', 'set REDIS_URL to the primary') : []),
    ...(most > 0 && used > 0.9 * most
      ? doubt('more than nine tenths of maxmemory are used', 'raise maxmemory, or look what else lies there')
      : []),
  ]
  return found.length > 0 ? found : ok(`version ${version}, noeviction`)
}
