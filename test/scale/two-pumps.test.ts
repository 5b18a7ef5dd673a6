import { expect, it } from 'vitest'
import type { Database } from '../../src/platform/database/database.js'
import { redisLimiter } from '../../src/platform/limiter/redis.js'
import { eventually } from '../support/eventually.js'
import { gated, putProgress, startSending } from '../support/pumps-room.js'
import type { RedisServer } from '../support/redis-server.js'
import { count, type Ground, one } from '../support/room.js'
import { betweenTwoPrimaries } from './two-servers.js'

/*
 * Two primaries at once, and a process at the old one that stood still while its lease of a method ran out: another process
 * sends from the method now, at the new one. Neither Redis knows of the other's calls.
 */

let old: RedisServer
let next: RedisServer
let ground: Ground

betweenTwoPrimaries((both) => {
  ;({ old, next, ground } = both)
})

const six = [{ limit: 6, windowMs: 60_000 }]
const delivered = `deliveries WHERE state = 'delivered'`

/** One process and how many calls it made. */
const pumpsAt = ({ client }: RedisServer, database: Database) =>
  startSending({ ground, database, limiter: redisLimiter({ redis: client }), windows: six, alone: false })

it('a pump that stood still while its lease ended sends nothing out of a window that another has rebuilt', async () => {
  const { pool } = ground.database
  const { gate, database } = gated(ground.another(), ({ name }) => name === 'claim-heads', 'statements')
  const behind = pumpsAt(old, database)
  const bucket = await putProgress(ground, 3)
  behind.pumps.wakeBucket(bucket)
  await eventually(() => count(ground.database, delivered)).toBe(3)
  gate.isClosed = true
  await putProgress(ground, 9)
  await eventually(() => {
    behind.pumps.wakeBucket(bucket)
    return gate.waiting
  }).toBe(1)
  const ahead = pumpsAt(next, ground.database)
  await eventually(async () => {
    if (ahead.made.calls === 0) await pool.query(`UPDATE buckets SET lease_until = now() WHERE id = $1`, [bucket])
    ahead.pumps.wakeBucket(bucket)
    return ahead.made.calls
  }).toBe(3)
  await eventually(() => count(ground.database, delivered)).toBe(6)
  const fences = async () =>
    (await one<{ n: number }>(ground.database, 'SELECT sum(fence)::int AS n FROM deliveries')).n
  const before = await fences()
  gate.open()
  await eventually(fences).toBe(before + 3)
  await eventually(() => count(ground.database, `deliveries WHERE state = 'sending'`)).toBe(0)
  expect([behind.made.calls, ahead.made.calls]).toEqual([3, 3])
  // What the one behind had claimed went back: it was no attempt.
  expect(await count(ground.database, `deliveries WHERE state = 'pending' AND attempts = 0 AND NOT ambiguous`)).toBe(6)
})
