import { randomBytes } from 'node:crypto'
import type { Grant, KnownUse, Limiter, Lost, Slot, SlotReturn, Terms } from './limiter.js'
import { freeSlots, holdMs, longestMs, nextFreeInMs, offsetOf, untilAnswered, untilUnanswered } from './windows.js'

export interface MemoryLimiterOptions {
  /** Monotonic ms of the one process. */
  now?: () => number
}

interface Bucket {
  epoch?: string
  ticket?: string
  closedUntil: number
  /** The longest window that any caller named; younger uses are kept. */
  keepMs: number
  /** `until` by name and turn. */
  uses: Map<string, number>
  forgetAt: number
}

const idleMs = 3_600_000

/** The limiter for one process alone. A fresh one knows no bucket, so each is lost first and rebuilt from the rows. */
export function memoryLimiter({ now: clock = () => performance.now() }: MemoryLimiterOptions = {}): Limiter {
  const buckets = new Map<string, Bucket>()
  const origin = randomBytes(6).toString('base64url')
  let turns = 0
  let sweepAt = 0
  const whole = () => Math.floor(clock())

  function sweep(now: number): void {
    if (now < sweepAt) return
    sweepAt = now + idleMs
    for (const [name, bucket] of buckets) if (bucket.forgetAt <= now) buckets.delete(name)
  }

  function open(name: string, now: number): Bucket {
    sweep(now)
    const bucket = buckets.get(name) ?? { closedUntil: 0, keepMs: 0, uses: new Map<string, number>(), forgetAt: 0 }
    bucket.forgetAt = Math.max(bucket.forgetAt, now + idleMs)
    buckets.set(name, bucket)
    return bucket
  }

  return {
    async take(name, names, terms) {
      const askedAt = clock()
      const now = Math.floor(askedAt)
      const bucket = open(name, now)
      turns += 1
      const turn = `${origin}.${turns.toString(36)}`
      if (bucket.epoch !== terms.epoch) {
        bucket.ticket ??= turn
        return { kind: 'lost', ticket: bucket.ticket }
      }
      delete bucket.ticket
      if (now < bucket.closedUntil) return { kind: 'wait', retryInMs: bucket.closedUntil - now }
      keep(bucket, now, terms)
      const untils = [...bucket.uses.values()].sort((a, b) => a - b)
      const free = freeSlots(untils, terms.windows, now)
      const slots = names.slice(0, free).map((slotName): Slot => ({ bucket: name, name: slotName, turn, askedAt }))
      for (const slot of slots) {
        bucket.uses.set(key(slot), untilUnanswered(now, terms.timeoutMs))
        untils.push(untilUnanswered(now, terms.timeoutMs))
      }
      return grant(slots, free > names.length, () =>
        nextFreeInMs(
          untils.sort((a, b) => a - b),
          terms.windows,
          now,
        ),
      )
    },

    async giveBack(returns) {
      const now = whole()
      for (const back of returns) giveOneBack(open(back.slot.bucket, now), back, now)
    },

    async close(name, ms) {
      const now = whole()
      const bucket = open(name, now)
      bucket.closedUntil = Math.max(bucket.closedUntil, now + Math.ceil(ms))
      bucket.forgetAt = Math.max(bucket.forgetAt, bucket.closedUntil)
    },

    async rebuild(name: string, lost: Lost, uses: readonly KnownUse[], terms: Terms) {
      const now = whole()
      const bucket = open(name, now)
      if (bucket.ticket !== lost.ticket) return false
      delete bucket.ticket
      bucket.epoch = terms.epoch
      keep(bucket, now, terms)
      const known = new Map([...bucket.uses.keys()].map((use) => [use.slice(0, use.lastIndexOf('|')), use]))
      for (const use of uses) {
        const at = known.get(use.name) ?? `${use.name}|`
        bucket.uses.set(at, Math.min(bucket.uses.get(at) ?? Number.POSITIVE_INFINITY, now + offsetOf(use)))
      }
      return true
    },
  }
}

function key(slot: Slot): string {
  return `${slot.name}|${slot.turn}`
}

function keep(bucket: Bucket, now: number, terms: Terms): void {
  bucket.keepMs = Math.max(bucket.keepMs, longestMs(terms.windows))
  bucket.forgetAt = Math.max(bucket.forgetAt, now + bucket.keepMs + holdMs(terms.timeoutMs))
  for (const [use, until] of bucket.uses) if (until + bucket.keepMs <= now) bucket.uses.delete(use)
}

/** A rebuild may have counted the same call from its row, without a turn; the answer replaces that. */
function giveOneBack(bucket: Bucket, back: SlotReturn, now: number): void {
  bucket.uses.delete(`${back.slot.name}|`)
  if (back.used) bucket.uses.set(key(back.slot), untilAnswered(now, back.answeredMsAgo))
  else bucket.uses.delete(key(back.slot))
}

function grant(slots: Slot[], more: boolean, retryInMs: () => number): Grant {
  if (more) return { kind: 'granted', slots }
  return slots.length === 0
    ? { kind: 'wait', retryInMs: retryInMs() }
    : { kind: 'granted', slots, retryInMs: retryInMs() }
}
