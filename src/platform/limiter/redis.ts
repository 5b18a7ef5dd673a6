import { randomBytes } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'
import type { Grant, Limiter, Slot, SlotReturn, Terms } from './limiter.js'
import { close, giveBack, rebuild, take } from './redis-scripts.js'
import { holdMs, longestMs, offsetOf, untilAnswered } from './windows.js'

export interface RedisLimiterOptions {
  redis: Redis | Cluster
  prefix?: string
  /** This process' monotonic ms, for `Slot.askedAt`. */
  now?: () => number
  /** For tests: the store's clock in whole ms, instead of the server's own. */
  storeClock?: () => number
}

const idleMs = 3_600_000

/** The limiter for many processes: one script for each verb, on Redis 7 or Valkey, the server's clock for all. */
export function redisLimiter(options: RedisLimiterOptions): Limiter {
  const { redis, prefix = 'bgc', now = () => performance.now(), storeClock } = options
  const keys = (bucket: string) => [`{${prefix}:limiter:${bucket}}:state`, `{${prefix}:limiter:${bucket}}:uses`]
  const common = () => [storeClock?.() ?? '', idleMs]
  const origin = randomBytes(6).toString('base64url')
  let turns = 0

  return {
    async take(bucket, names, terms) {
      const askedAt = now()
      turns += 1
      const turn = `${origin}.${turns.toString(36)}`
      const args = [...common(), terms.epoch, turn, holdMs(terms.timeoutMs), ...windowArgs(terms), ...names]
      const slot = (name: string): Slot => ({ bucket, name, turn, askedAt })
      return readGrant(await take(redis, keys(bucket), args), names, slot)
    },

    async giveBack(returns) {
      const buckets = new Map<string, (string | number)[]>()
      for (const back of returns) {
        const args = buckets.get(back.slot.bucket) ?? []
        args.push(back.slot.name, back.slot.turn, returnOffset(back))
        buckets.set(back.slot.bucket, args)
      }
      // Sent together and not as a pipeline, which a cluster would want to be for one node.
      await Promise.all([...buckets].map(([bucket, args]) => giveBack(redis, keys(bucket), [...common(), ...args])))
    },

    async close(bucket, ms) {
      await close(redis, keys(bucket), [...common(), Math.ceil(ms)])
    },

    async rebuild(bucket, lost, uses, terms) {
      const known = uses.flatMap((use) => [use.name, offsetOf(use)])
      const args = [...common(), lost.ticket, terms.epoch, longestMs(terms.windows), ...known]
      return (await rebuild(redis, keys(bucket), args)) === 'open'
    },
  }
}

function windowArgs({ windows }: Terms): number[] {
  return [longestMs(windows), windows.length, ...windows.flatMap(({ limit, windowMs }) => [limit, windowMs])]
}

function returnOffset(back: SlotReturn): number | '' {
  return back.used ? untilAnswered(0, back.answeredMsAgo) : ''
}

function readGrant(answer: unknown, names: readonly string[], slot: (name: string) => Slot): Grant {
  const [kind, first, retryInMs] = Array.isArray(answer) ? (answer as unknown[]) : []
  if (kind === 'lost' && typeof first === 'string') return { kind, ticket: first }
  if (kind === 'wait' && typeof first === 'number') return { kind, retryInMs: first }
  if (kind === 'granted' && typeof first === 'number') {
    const slots = names.slice(0, first).map(slot)
    return typeof retryInMs === 'number' ? { kind, slots, retryInMs } : { kind, slots }
  }
  throw new Error(`Unexpected answer of the limiter's script: ${JSON.stringify(answer)}`)
}
