import { expect, it } from 'vitest'
import { bucketOf } from '../../src/flow/outbox/buckets.js'
import { createSlotSource } from '../../src/flow/to-feishu/slots.js'
import { createVendorWindows, type VendorWindows } from '../../src/flow/vendor/windows.js'
import type { Limiter } from '../../src/platform/limiter/limiter.js'
import { redisLimiter } from '../../src/platform/limiter/redis.js'
import type { RedisServer } from '../support/redis-server.js'
import type { Ground } from '../support/room.js'
import { betweenTwoPrimaries } from './two-servers.js'

/*
 * After a failover, a primary that was only cut off takes itself for the primary until it hears of it. A process that is
 * still connected to it and one that has found the new one then have a limiter each.
 */

let old: RedisServer
let next: RedisServer
let ground: Ground

betweenTwoPrimaries((both) => {
  ;({ old, next, ground } = both)
})

const limiterAt = ({ client }: RedisServer): Limiter => redisLimiter({ redis: client })
const three = [{ limit: 3, windowMs: 1000 }]
const timeoutMs = 1000

it('calls to the vendor stop at the old one once another process has begun at the new one', async () => {
  const clock = { now: 0 }
  const windowsAt = (server: RedisServer): VendorWindows => {
    const { database, log } = ground
    const limits = { windows: three, timeoutMs, alone: false }
    return createVendorWindows({
      database,
      log,
      limiter: limiterAt(server),
      host: 'vendor',
      ...limits,
      now: () => clock.now,
    })
  }
  const [behind, ahead] = [windowsAt(old), windowsAt(next)]
  expect(await behind.take('urgent')).toMatchObject({ slot: { bucket: 'vendor/vendor' } })
  expect(await ahead.take('urgent')).toHaveProperty('retryInMs')
  clock.now += 2001
  expect(await behind.take('urgent')).toHaveProperty('retryInMs')
  expect(await ahead.take('urgent')).toHaveProperty('retryInMs')
})

it('calls to Feishu stop at the old one once another process has begun at the new one', async () => {
  const { database } = ground
  const sourceAt = (server: RedisServer) =>
    createSlotSource({ database, limiter: limiterAt(server), windowsOf: () => three, timeoutMs })
  const [behind, ahead] = [sourceAt(old), sourceAt(next)]
  const leased = async () => {
    const ids = { appId: 'cli', tenantKey: 'tk', api: 'update_progress' }
    return { ...ids, ...(await bucketOf(database.pool, ids.appId, ids.tenantKey, ids.api)) }
  }
  const call = [{ id: '1', fence: 0 }]
  const first = await leased()
  expect((await behind.take(first, call)).slots).toHaveLength(1)
  expect((await ahead.take(await leased(), call)).slots).toHaveLength(1)
  const again = await leased()
  expect(again.epoch).not.toBe(first.epoch)
  expect(
    await limiterAt(old).take('cli/tk/update_progress', ['1.1'], { windows: three, timeoutMs, epoch: again.epoch }),
  ).toMatchObject({ kind: 'lost' })
})
