import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Database } from '../../platform/database/database.js'
import type { KnownUse, Limiter, RateWindow, Slot } from '../../platform/limiter/limiter.js'
import { longestMs } from '../../platform/limiter/windows.js'
import { type Bucket, renewEpoch } from '../outbox/buckets.js'
import { knownUses } from '../outbox/claim.js'

/** Slots for claims; a limiter that lost its state is rebuilt from the rows on the way. */
export interface SlotSource {
  /** Slots for the first calls; `retryInMs` says when the next one can come free. */
  take(bucket: Bucket, calls: readonly CallToMake[]): Promise<{ slots: Slot[]; retryInMs: number }>
  close(bucket: Bucket, ms: number): Promise<void>
}

/** A delivery and its claim, which name a call for the limiter. */
export interface CallToMake {
  id: string
  fence: number
}

export interface SlotSourceOptions {
  database: Database
  limiter: Limiter
  windowsOf: (api: string) => readonly RateWindow[]
  timeoutMs: number
  onRebuilt?: () => void
  /**
   * What is known of a bucket's recent calls, in the epoch `before`; `except` are claims not sent yet. Without it, what
   * the rows of deliveries know.
   */
  usesOf?: (
    bucket: Bucket,
    windows: readonly RateWindow[],
    except: readonly string[],
    before: string,
  ) => Promise<readonly KnownUse[]>
}

const mostRebuilds = 5
const tryLaterMs = 200
const rebuildMs = 25

export function createSlotSource(options: SlotSourceOptions): SlotSource {
  const { database, limiter, windowsOf, timeoutMs } = options
  const usesOf =
    options.usesOf ?? ((bucket, windows, except) => knownUses(database.pool, bucket.id, longestMs(windows), except))
  const take = async (bucket: Bucket, calls: readonly CallToMake[]) => {
    const windows = windowsOf(bucket.api)
    const names = calls.map((call) => `${call.id}.${call.fence}`)
    for (let tries = 0; tries < mostRebuilds; tries += 1) {
      const grant = await limiter.take(nameOf(bucket), names, { windows, timeoutMs, epoch: bucket.epoch })
      if (grant.kind === 'granted') return { slots: grant.slots, retryInMs: grant.retryInMs ?? 0 }
      if (grant.kind === 'wait') return { slots: [], retryInMs: grant.retryInMs }
      const used = bucket.epoch
      const fresh = randomBytes(9).toString('base64url')
      bucket.epoch = await renewEpoch(database.pool, bucket.id, used, fresh)
      if (bucket.epoch !== fresh) {
        // Another process is rebuilding it: what it needs is a moment, not a second rebuild.
        await setTimeout(rebuildMs)
        continue
      }
      const except = calls.map((call) => call.id)
      const uses = await usesOf(bucket, windows, except, used)
      if (await limiter.rebuild(nameOf(bucket), grant, uses, { windows, timeoutMs, epoch: bucket.epoch }))
        options.onRebuilt?.()
    }
    return { slots: [], retryInMs: tryLaterMs }
  }
  return { take, close: (bucket, ms) => limiter.close(nameOf(bucket), ms) }
}

function nameOf({ appId, tenantKey, api }: Bucket): string {
  return `${appId}/${tenantKey}/${api}`
}
