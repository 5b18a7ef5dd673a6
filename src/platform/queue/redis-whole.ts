import type { RedisClient } from './redis-place.js'

/*
 * Apart from the connections: whoever only asks does not load the client, which a process without Redis does without.
 */

/**
 * What is wrong with a Redis that answers; `null`: nothing. A cluster without one of its primaries still answers for the
 * others, and a replica takes no calls for a window. Rejects when nothing answers.
 */
export async function lackOf(redis: RedisClient): Promise<string | null> {
  if (!('nodes' in redis)) {
    return /^role:master\r?$/m.test(await redis.info('replication')) ? null : 'it is a replica'
  }
  const info = await redis.cluster('INFO')
  const isWhole = wholeSigns.every((sign) => sign.test(info))
  return isWhole ? null : 'a part of the cluster is missing'
}

/** A cluster that serves what it can (`cluster-require-full-coverage no`) is ok without slots that nobody has. */
const wholeSigns = [/^cluster_state:ok\r?$/m, /^cluster_slots_assigned:16384\r?$/m, /^cluster_slots_fail:0\r?$/m]

export async function isWhole(redis: RedisClient): Promise<boolean> {
  return (await lackOf(redis)) === null
}
