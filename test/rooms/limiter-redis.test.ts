import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Limiter } from '../../src/platform/limiter/limiter.js'
import { redisLimiter } from '../../src/platform/limiter/redis.js'
import { take } from '../../src/platform/limiter/redis-scripts.js'
import { eventually } from '../support/eventually.js'
import { asGranted, asLost, mostWithin, names, openBucket, terms } from '../support/limiter.js'
import { type StartedRedis, startRedis } from '../support/redis.js'

const five = terms([{ limit: 5, windowMs: 200 }])
const state = '{bgc:limiter:a}:state'
const uses = '{bgc:limiter:a}:uses'

let server: StartedRedis
let client: Redis
let limiter: Limiter

beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
  client.on('error', () => 'it is killed on purpose')
})

beforeEach(async () => {
  await server.flush()
  limiter = redisLimiter({ redis: client })
})

afterAll(async () => {
  client.disconnect()
  await server.stop()
})

describe('the limiter in redis', () => {
  it('keeps the window on the clock of the server, with several processes at once', async () => {
    await openBucket(limiter, 'a', five)
    const arrivals: number[] = []
    const until = performance.now() + 900
    const pump = async (clockOffMs: number, id: number) => {
      const own = redisLimiter({ redis: client, now: () => performance.now() + clockOffMs })
      for (let from = 0; performance.now() < until || arrivals.length <= 5; from += 4) {
        const grant = await own.take('a', names(4, id * 1000 + from), five)
        if (grant.kind === 'lost') throw new Error('lost')
        const slots = grant.kind === 'granted' ? grant.slots : []
        await pause(Math.random() * 20)
        arrivals.push(...slots.map(() => performance.now()))
        await pause(Math.random() * 20)
        const answeredAt = performance.now()
        await pause(Math.random() * 5)
        const answeredMsAgo = performance.now() - answeredAt
        await own.giveBack(slots.map((slot) => ({ slot, used: true, answeredMsAgo })))
        await pause(grant.retryInMs ?? 0)
      }
    }
    await Promise.all([pump(0, 1), pump(-4000, 2), pump(4000, 3)])
    expect(mostWithin(arrivals, 200)).toBeLessThanOrEqual(5)
    expect(arrivals.length).toBeGreaterThan(5)
  })

  it('is lost after a restart with an old snapshot, and counts again what the rows know', async () => {
    await openBucket(limiter, 'a', five)
    await client.save()
    const { slots } = asGranted(await limiter.take('a', names(4), five))
    await server.restart()
    expect(await client.exists(state)).toBe(1)
    const next = { ...five, epoch: '2' }
    const lost = asLost(await limiter.take('a', names(5, 5), five))
    const rows = slots.map((slot) => ({ name: slot.name, arrivesWithinMs: 8000 }))
    expect(await limiter.rebuild('a', lost, rows, next)).toBe(true)
    expect(asGranted(await limiter.take('a', names(5, 9), next)).slots).toHaveLength(1)
  })

  it('is lost after a restart in which a command waited for the connection', async () => {
    await openBucket(limiter, 'a', five)
    await client.save()
    const restarted = server.restart()
    const waited = limiter.take('a', names(1), five)
    await restarted
    expect(['lost', 'granted']).toContain((await waited).kind)
    expect(await limiter.take('a', names(1), five)).toMatchObject({ kind: 'lost' })
  })

  it('is lost on a server that was a replica in between, although it was not restarted', async () => {
    await openBucket(limiter, 'a', five)
    await client.replicaof('127.0.0.1', '1')
    await client.replicaof('NO', 'ONE')
    expect(await client.exists(state)).toBe(1)
    expect(await limiter.take('a', names(1), five)).toMatchObject({ kind: 'lost' })
  })

  it('is lost on a promoted replica, whatever that had received', async () => {
    const replica = await startRedis()
    const promoted = new Redis(replica.url)
    try {
      await client.config('SET', 'repl-diskless-sync-delay', '0')
      await promoted.replicaof('127.0.0.1', String(server.port))
      await eventually(() => promoted.info('replication')).toMatch('link_status:up')
      await openBucket(limiter, 'a', five)
      await eventually(() => promoted.exists(state)).toBe(1)
      await promoted.replicaof('NO', 'ONE')
      expect(await redisLimiter({ redis: promoted }).take('a', names(1), five)).toMatchObject({ kind: 'lost' })
      expect(asGranted(await limiter.take('a', names(1), five)).slots).toHaveLength(1)
    } finally {
      promoted.disconnect()
      await replica.stop()
    }
  })

  it('grants the same slots to a command that is sent again', async () => {
    await openBucket(limiter, 'a', five)
    const args = ['', 60_000, '1', 'turn', 8000, 200, 1, 5, 200, ...names(4)]
    expect(await take(client, [state, uses], args)).toEqual(['granted', 4])
    expect(await take(client, [state, uses], args)).toEqual(['granted', 4])
    expect(await client.zcard(uses)).toBe(4)
  })

  it('stands still while the clock of the server is set back, and goes on from there', async () => {
    const clock = { now: 10_000_000 }
    const own = redisLimiter({ redis: client, storeClock: () => clock.now })
    await openBucket(own, 'a', five)
    const { slots } = asGranted(await own.take('a', names(5), five))
    await own.giveBack(slots.map((slot) => ({ slot, used: true, answeredMsAgo: 0 })))
    clock.now -= 3_600_000
    expect(await own.take('a', names(1, 5), five)).toEqual({ kind: 'wait', retryInMs: 201 })
    clock.now += 201
    expect(asGranted(await own.take('a', names(5, 5), five)).slots).toHaveLength(5)
  })

  it('keeps no more than the uses of the longest window, and lets idle buckets go', async () => {
    const clock = { now: 10_000_000 }
    const own = redisLimiter({ redis: client, storeClock: () => clock.now })
    await openBucket(own, 'a', five)
    let asked = 0
    for (let round = 0; round < 20; round += 1) {
      asked = performance.now()
      const { slots } = asGranted(await own.take('a', names(5, round * 5), five))
      await own.giveBack(slots.map((slot) => ({ slot, used: true, answeredMsAgo: 0 })))
      clock.now += 201
    }
    expect(await client.zcard(uses)).toBe(5)
    expect(await client.pttl(uses)).toBeLessThanOrEqual(8200)
    expect(await client.pttl(uses)).toBeGreaterThan(8200 - (performance.now() - asked) - 100)
    expect(await client.pttl(state)).toBeGreaterThan(3_500_000)
  })

  it('sends its scripts again to a server that does not know them', async () => {
    await openBucket(limiter, 'a', five)
    await client.script('FLUSH')
    expect(asGranted(await limiter.take('a', names(1), five)).slots).toHaveLength(1)
  })

  it('says so when the store fails', async () => {
    await client.set(uses, 'of another type')
    await openBucket(limiter, 'b', five)
    await client.hset(state, 'life', (await client.hget('{bgc:limiter:b}:state', 'life')) ?? '', 'epoch', '1')
    await expect(limiter.take('a', names(1), five)).rejects.toThrow('WRONGTYPE')
  })
})
