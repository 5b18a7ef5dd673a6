import { createLogger } from '../../platform/logger.js'
import { connectRedis } from '../../platform/queue/redis.js'
import { type Check, type Found, ok, skipped, wrong } from './check.js'
import { examineCluster } from './redis/cluster.js'
import { examineSentinels } from './redis/sentinels.js'
import { askServer, judgeServer } from './redis/server.js'

const withinMs = 5000

export const redisCheck: Check = {
  name: 'Redis',
  run: async ({ config: { redis } }) => {
    if (redis === undefined) return skipped('REDIS_URL is not set: one process, and the queue on PostgreSQL')
    if (redis.kind === 'cluster') return examineCluster(redis)
    if (redis.kind === 'sentinel') return examineSentinels(redis)
    return examineServer(redis.url)
  },
}

async function examineServer(url: string): Promise<Found[]> {
  const redis = connectRedis({ kind: 'single', url }, createLogger('silent'), 'commands')
  try {
    await new Promise<void>((resolve, reject) => {
      setTimeout(reject, withinMs, new Error(`no connection within ${withinMs} ms`)).unref()
      redis.once('ready', () => resolve())
    })
    const answer = await askServer(redis)
    const found = [
      ...judgeServer(answer),
      ...(answer.read('role') === 'slave' ? wrong('it is a replica', 'set REDIS_URL to the primary') : []),
      ...(answer.read('redis_mode') === 'cluster'
        ? wrong('it is a node of a cluster', 'set REDIS_CLUSTER_NODES instead of REDIS_URL')
        : []),
      ...(answer.read('redis_mode') === 'sentinel'
        ? wrong('it is a sentinel', 'set REDIS_SENTINELS and REDIS_SENTINEL_NAME instead of REDIS_URL')
        : []),
    ]
    return found.length > 0 ? found : ok(`version ${answer.version}, noeviction`)
  } catch {
    // What is wrong is one of these; the client's own words may hold the password of the address.
    return wrong(
      'it does not answer, or refuses the user and password',
      'check REDIS_URL, that Redis runs, and that this machine may connect',
    )
  } finally {
    redis.disconnect()
  }
}
