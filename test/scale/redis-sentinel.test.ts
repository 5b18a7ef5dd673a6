import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { examineSentinels } from '../../src/cli/doctor/redis/sentinels.js'
import { redisLimiter } from '../../src/platform/limiter/redis.js'
import { createLogger } from '../../src/platform/logger.js'
import { connectRedis } from '../../src/platform/queue/redis.js'
import { isWhole } from '../../src/platform/queue/redis-whole.js'
import { eventually } from '../support/eventually.js'
import { asGranted, names, openBucket, terms } from '../support/limiter.js'
import { type StartedSentinels, startRedisSentinels } from '../support/redis-sentinel.js'
import { cutOff, type RedisServer } from '../support/redis-server.js'
import { liveThrough } from './lived-through.js'

const five = terms([{ limit: 5, windowMs: 60_000 }])

let watched: StartedSentinels

beforeAll(async () => {
  watched = await startRedisSentinels()
})
afterAll(() => watched.stop())

function connect() {
  const sentinels = watched.watchers.map(({ port }) => ({ host: '127.0.0.1', port }))
  const place = { kind: 'sentinel', sentinels, name: watched.name, tls: false } as const
  const redis = connectRedis(place, createLogger('silent'), 'commands')
  onTestFinished(() => redis.disconnect())
  return redis
}

/** What was the primary comes back as the replica, which the sentinels would make it in ten seconds. */
async function comesBack(primary: RedisServer, next: RedisServer): Promise<void> {
  await primary.client.replicaof('127.0.0.1', next.port)
  await watched.untilReplicates(primary, next)
}

it('a bucket is lost on a replica that took over without the last calls, although its state looks whole', async () => {
  const redis = connect()
  await eventually(() => redis.status).toBe('ready')
  const limiter = redisLimiter({ redis })
  await openBucket(limiter, 'a', five)
  const primary = await watched.primary()
  expect(await primary.client.wait(1, 10_000)).toBe(1)
  await cutOff(watched.replicaOf(primary), primary)
  expect(asGranted(await limiter.take('a', names(5), five)).slots).toHaveLength(5)
  await primary.kill()
  const next = await watched.untilFailedOver(primary)
  expect(await next.client.hget('{bgc:limiter:a}:state', 'epoch')).toBe(five.epoch)
  expect(await next.client.zcard('{bgc:limiter:a}:uses')).toBe(0)
  await eventually(() => limiter.take('a', names(1, 5), five).catch(() => 'away')).toMatchObject({ kind: 'lost' })
  await eventually(() => isWhole(redis).catch(() => false)).toBe(true)
  await primary.start()
  await comesBack(primary, next)
})

it('a connection that was left at what is a replica now finds the primary', async () => {
  const redis = connect()
  await eventually(() => redis.status).toBe('ready')
  const primary = await watched.primary()
  primary.pause()
  const next = await watched.untilFailedOver(primary)
  primary.goOn()
  await primary.client.replicaof('127.0.0.1', next.port)
  await expect(redis.set('a key', 'a value')).rejects.toThrow('READONLY')
  await eventually(() => redis.set('a key', 'a value').catch(() => 'away')).toBe('OK')
  expect(await next.client.exists('a key')).toBe(1)
  await comesBack(primary, next)
})

it('bgc doctor says what each sentinel says, and names those that do not answer', async () => {
  const sentinels = watched.watchers.map(({ port }) => ({ host: '127.0.0.1', port }))
  const place = { kind: 'sentinel', sentinels, name: watched.name, tls: false } as const
  const primary = await watched.primary()
  expect(await examineSentinels(place)).toEqual([
    {
      kind: 'ok',
      detail: expect.stringMatching(
        new RegExp(`^${primary.address} with 1 replicas, watched by 3 sentinels, version \\d+\\S+, noeviction$`),
      ),
    },
  ])
  expect(JSON.stringify(await examineSentinels({ ...place, name: 'another' }))).toMatch(
    /does not know .*another.*check REDIS_SENTINEL_NAME.*no sentinel knows the primary/,
  )
  const replica = watched.replicaOf(primary)
  watched.watchers[0]?.pause()
  await replica.client.config('SET', 'maxmemory-policy', 'volatile-lru')
  const found = await examineSentinels(place)
  watched.watchers[0]?.goOn()
  await replica.client.config('SET', 'maxmemory-policy', 'noeviction')
  expect(found.map((each) => 'problem' in each && each.problem)).toEqual([
    `sentinel ${watched.watchers[0]?.address} does not answer, or refuses the password`,
    `replica ${replica.address}: maxmemory-policy is volatile-lru: hints and rate slots may be thrown away`,
  ])
})

it('brings thirty checks to their ends when the primary is killed, its replica behind', async () => {
  const happen = async (someCalls: () => Promise<void>) => {
    const primary = await watched.primary()
    await cutOff(watched.replicaOf(primary), primary)
    await someCalls()
    await primary.kill()
    await watched.untilFailedOver(primary)
  }
  const env = { REDIS_SENTINELS: watched.sentinels, REDIS_SENTINEL_NAME: watched.name }
  await liveThrough(env, { happen })
})
