import type { Cluster, Redis } from 'ioredis'
import type { Grant, Granted, KnownUse, Limiter, Lost, RateWindow, Terms } from '../../src/platform/limiter/limiter.js'
import { memoryLimiter } from '../../src/platform/limiter/memory.js'
import { redisLimiter } from '../../src/platform/limiter/redis.js'

/** A limiter's store on a clock that only the test moves. */
export interface Store {
  clock: { now: number }
  /** A process whose own clock is off by `skewMs`. */
  process(skewMs?: number): Limiter
  /** Everything is gone, as after a flush or a fresh start. */
  lose(): Promise<void>
}

export function memoryStore(): Store {
  const clock = { now: 1_000_000 }
  const fresh = () => memoryLimiter({ now: () => clock.now })
  let limiter = fresh()
  return {
    clock,
    process: (skewMs = 0) => ({
      take: async (...args) => {
        const grant = await limiter.take(...args)
        if (grant.kind !== 'granted') return grant
        return { ...grant, slots: grant.slots.map((slot) => ({ ...slot, askedAt: slot.askedAt + skewMs })) }
      },
      giveBack: (...args) => limiter.giveBack(...args),
      close: (...args) => limiter.close(...args),
      rebuild: (...args) => limiter.rebuild(...args),
    }),
    async lose() {
      limiter = fresh()
    },
  }
}

/** `flush` empties what `redis` leads to. */
export function redisStore(redis: Redis | Cluster, flush = async () => void (await redis.flushall())): Store {
  const clock = { now: 1_000_000 }
  return {
    clock,
    process: (skewMs = 0) =>
      redisLimiter({ redis, now: () => clock.now + skewMs, storeClock: () => Math.floor(clock.now) }),
    lose: flush,
  }
}

export function terms(windows: readonly RateWindow[], epoch = '1', timeoutMs = 3_000): Terms {
  return { windows, epoch, timeoutMs }
}

export function names(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `call-${from + index}`)
}

export async function openBucket(
  limiter: Limiter,
  bucket: string,
  on: Terms,
  uses: readonly KnownUse[] = [],
): Promise<boolean> {
  return await limiter.rebuild(bucket, asLost(await limiter.take(bucket, [], on)), uses, on)
}

export function asGranted(grant: Grant): Granted {
  if (grant.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(grant)}`)
  return grant
}

export function asLost(grant: Grant): Lost {
  if (grant.kind !== 'lost') throw new Error(`not lost: ${JSON.stringify(grant)}`)
  return grant
}

/** Counts at the door and knows nothing of the limiter: the most arrivals in any closed interval of this length. */
export function mostWithin(arrivals: readonly number[], windowMs: number): number {
  const sorted = [...arrivals].sort((a, b) => a - b)
  let from = 0
  let most = 0
  for (const [index, at] of sorted.entries()) {
    while ((sorted[from] ?? at) < at - windowMs) from += 1
    most = Math.max(most, index - from + 1)
  }
  return most
}
