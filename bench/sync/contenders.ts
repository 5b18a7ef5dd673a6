import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { RateLimiterRedis, RateLimiterRes, RateLimiterUnion } from 'rate-limiter-flexible'
import { clusterMs, fewSlots, gatherFewMs, gatherMs } from '../../src/flow/to-feishu/pacing.js'
import { createBatcher } from '../../src/platform/batcher.js'
import { isFresh, type Slot, type SlotReturn } from '../../src/platform/limiter/limiter.js'
import { redisLimiter } from '../../src/platform/limiter/redis.js'
import type { Post } from './post.js'
import type { Window } from './settings.js'

export interface Race {
  redis: Redis
  redisUrl: string
  /** The short one, then the long one. */
  windows: readonly Window[]
  post: Post
  /** `performance.now()` at which no further call begins. */
  until: number
}

export interface Contender {
  name: string
  /** Commands sent to Redis, where that says something: others are asked by many callers at once, one slot each. */
  run(race: Race): Promise<{ trips?: number }>
}

/** After the first call, a quiet spell that ends in the middle of a window. */
const quietMs = 900
const atOnce = 50
const returnWithinMs = 200

const isOver = ({ until }: Race) => performance.now() >= until

interface Answered {
  slot: Slot
  used: boolean
  at: number
}

/** As the pump uses it: one taker in batches, slots given back together. */
export const ours: Contender = {
  name: 'this limiter',
  run: async (race) => {
    let trips = 0
    const limiter = redisLimiter({ redis: race.redis })
    const terms = { windows: race.windows, timeoutMs: 10_000, epoch: randomUUID() }
    const give = (batch: Answered[]) => {
      trips += 1
      const ago = (at: number) => performance.now() - at
      return limiter.giveBack(
        batch.map(({ slot, used, at }): SlotReturn => (used ? { slot, used, answeredMsAgo: ago(at) } : { slot, used })),
      )
    }
    const returns = createBatcher<Answered>(200, give, returnWithinMs)
    const flying = new Set<Promise<void>>()
    const fly = async (slot: Slot) => {
      const used = await race.post(() => isFresh(slot, performance.now()))
      await returns.add({ slot, used, at: performance.now() })
    }
    const take = async (count: number): Promise<number> => {
      const names = Array.from({ length: count }, () => randomUUID())
      trips += 1
      const grant = await limiter.take('ours', names, terms)
      if (grant.kind === 'lost') {
        await limiter.rebuild('ours', grant, [], terms)
        return 0
      }
      if (grant.kind === 'wait') return grant.retryInMs + clusterMs
      for (const slot of grant.slots) {
        const flight = fly(slot).finally(() => flying.delete(flight))
        flying.add(flight)
      }
      return Math.max(grant.slots.length < fewSlots ? gatherFewMs : gatherMs, grant.retryInMs ?? 0)
    }
    await take(1)
    await take(1)
    await sleep(quietMs)
    while (!isOver(race)) await sleep(await take(atOnce))
    await Promise.all(flying)
    return { trips }
  },
}

/** One window, counted from its first call; it knows no second one. */
export const bullmq: Contender = {
  name: 'BullMQ',
  run: async (race) => {
    const [short] = race.windows
    if (short === undefined) throw new Error('there is no window')
    const connections: Redis[] = []
    const connection = () => {
      const made = new Redis(race.redisUrl, { maxRetriesPerRequest: null })
      connections.push(made)
      return made
    }
    const name = 'bench-limited'
    const queue = new Queue(name, { connection: connection() })
    const jobs = (count: number) =>
      queue.addBulk(Array.from({ length: count }, () => ({ name, data: {}, opts: { removeOnComplete: true } })))
    const limiter = { max: short.limit, duration: short.windowMs }
    const worker = new Worker(name, async () => void (await race.post()), {
      connection: connection(),
      limiter,
      concurrency: 200,
    })
    await jobs(1)
    await sleep(quietMs)
    const most = Math.ceil(((race.until - performance.now()) / short.windowMs + 2) * 2 * short.limit)
    for (let added = 0; added < most; added += 500) await jobs(500)
    await sleep(race.until - performance.now())
    await worker.close(true)
    await queue.close()
    for (const each of connections) each.disconnect()
    return {}
  },
}

/** Asks for one slot at a time, as many at once as there are slots, until it is granted. */
async function byAsking(race: Race, ask: () => Promise<number>): Promise<void> {
  const call = async () => {
    for (let waitMs = await ask(); waitMs > 0; waitMs = await ask()) {
      if (isOver(race)) return
      await sleep(waitMs)
    }
    return race.post()
  }
  const flying = new Set<Promise<unknown>>([call()])
  await sleep(quietMs)
  const worker = async () => {
    while (!isOver(race)) {
      const waitMs = await ask()
      if (waitMs > 0) {
        await sleep(Math.min(waitMs, Math.max(0, race.until - performance.now())))
        continue
      }
      const flight = race.post().finally(() => flying.delete(flight))
      flying.add(flight)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  await Promise.all(flying)
}

export const flexibleUnion: Contender = {
  name: 'rate-limiter-flexible, union',
  run: async (race) => {
    const limiters = race.windows.map(
      ({ limit, windowMs }) =>
        new RateLimiterRedis({
          storeClient: race.redis,
          keyPrefix: `w${windowMs}`,
          points: limit,
          duration: windowMs / 1000,
        }),
    )
    const union = new RateLimiterUnion(...limiters)
    await byAsking(race, async () => {
      try {
        await union.consume('bench')
        return 0
      } catch (refused) {
        return 1 + Math.max(...waitsOf(refused))
      }
    })
    return {}
  },
}

function waitsOf(refused: unknown): number[] {
  const each = Object.values(refused as Record<string, unknown>)
  return each.map((one) => {
    if (!(one instanceof RateLimiterRes)) throw one
    return one.msBeforeNext
  })
}

/** Answers 0 and takes, or in how many ms to ask again. */
const gcraLua = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local free = at - (burst - 1) * interval
if free > now then return math.ceil(free - now) end
redis.call('SET', KEYS[1], string.format('%.3f', at + interval), 'PX', 120000)
return 0
`

/** The largest rate and burst with which neither window is exceeded by grants: burst + rate × window <= limit. */
export const gcra: Contender = {
  name: 'GCRA',
  run: async (race) => {
    const [short, long] = race.windows
    if (short === undefined || long === undefined) throw new Error('two windows are expected')
    const perMs = (long.limit - short.limit) / (long.windowMs - short.windowMs)
    const burst = Math.floor(short.limit - perMs * short.windowMs)
    const interval = long.windowMs / (long.limit - burst)
    await byAsking(race, async () => Number(await race.redis.eval(gcraLua, 1, 'bench:gcra', interval, burst)))
    return {}
  },
}

const logLua = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local wait = 0
for i = 2, #ARGV, 2 do
  local limit, window = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local use = redis.call('ZRANGE', KEYS[1], -limit, -limit, 'WITHSCORES')
  if use[2] then wait = math.max(wait, use[2] + window - now) end
end
if wait > 0 then return math.ceil(wait) end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 120000)
return 0
`

/** Exact and sliding, where it is asked and not where calls arrive. */
export const slidingLog: Contender = {
  name: 'a sliding log of grants',
  run: async (race) => {
    const args = race.windows.flatMap(({ limit, windowMs }) => [limit, windowMs])
    await byAsking(race, async () => Number(await race.redis.eval(logLua, 1, 'bench:log', randomUUID(), ...args)))
    return {}
  },
}
