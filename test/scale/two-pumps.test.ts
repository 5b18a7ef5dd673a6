import { expect, it, onTestFinished } from 'vitest'
import { startPumps } from '../../src/flow/to-feishu/pumps.js'
import type { FeishuReply } from '../../src/flow/to-feishu/reply.js'
import { createSlotSource } from '../../src/flow/to-feishu/slots.js'
import type { Database } from '../../src/platform/database/database.js'
import { redisLimiter } from '../../src/platform/limiter/redis.js'
import { eventually } from '../support/eventually.js'
import { lanesOn, origin } from '../support/lane-room.js'
import type { RedisServer } from '../support/redis-server.js'
import { count, type Ground, one } from '../support/room.js'
import { saying, stage } from '../support/vendor-words.js'
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
const timeoutMs = 1000
const delivered = `deliveries WHERE state = 'delivered'`
const accepted: FeishuReply = { kind: 'answer', httpStatus: 200, code: 0 }

/** One process and how many calls it made. */
function pumpsAt({ client }: RedisServer, database: Database) {
  const { sealer, log } = ground
  const limiter = redisLimiter({ redis: client })
  const made = { calls: 0 }
  const call = async () => {
    made.calls += 1
    return accepted
  }
  const pumps = startPumps({
    database,
    sealer,
    log,
    limiter,
    alone: false,
    keepers: [],
    windowsOf: () => six,
    slots: createSlotSource({ database, limiter, windowsOf: () => six, timeoutMs }),
    timeoutMs,
    clientOf: () => ({ call, stop: async () => undefined }),
    // Of the tokens a pump uses only this, and nothing is read.
    tokens: { tenantToken: async () => ({ kind: 'token', token: 't' }) } as never,
    reads: undefined as never,
    lookUps: { mayLook: () => false, look: async () => 'absent' },
    lookAfterMs: [],
    retry: { baseMs: 1, maxMs: 1, maxAgeMs: 1_000_000 },
    onReady: () => undefined,
    random: () => 0.5,
  })
  onTestFinished(() => pumps.stop())
  return { pumps, made }
}

/** A database on which claims wait while `gate.isClosed`. */
function gated(database: Database) {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const gate = { isClosed: false, waiting: 0, open }
  const pool = new Proxy(database.pool, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const method = value.bind(target) as (...args: unknown[]) => unknown
      if (name !== 'query') return method
      return async (...args: [{ name?: string }, ...unknown[]]) => {
        if (gate.isClosed && args[0].name === 'claim-heads') {
          gate.waiting += 1
          await opened
        }
        return method(...args)
      }
    },
  })
  return { gate, database: { ...database, pool } }
}

async function putProgress(checks: number): Promise<number> {
  const lanes = lanesOn(ground)
  for (let each = 0; each < checks; each += 1) {
    await lanes.record(await lanes.place(), saying('in_progress', [stage('a')]))
  }
  const text = `SELECT id FROM buckets WHERE app_id = $1 AND tenant_key = $2 AND api = 'update_progress'`
  return (await one<{ id: number }>(ground.database, text, [origin.appId, origin.tenantKey])).id
}

it('a pump that stood still while its lease ended sends nothing out of a window that another has rebuilt', async () => {
  const { pool } = ground.database
  const { gate, database } = gated(ground.another())
  const behind = pumpsAt(old, database)
  const bucket = await putProgress(3)
  behind.pumps.wakeBucket(bucket)
  await eventually(() => count(ground.database, delivered)).toBe(3)
  gate.isClosed = true
  await putProgress(9)
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
