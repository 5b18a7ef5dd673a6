import { randomBytes } from 'node:crypto'
import type { Database } from '../../platform/database/database.js'
import { type Bucket, type Claim, knownUses, renewEpoch } from '../outbox/claim.js'
import type { Limiter, RateWindow, Slot } from './limiter/limiter.js'

/** Slots for claims; a limiter that lost its state is rebuilt from the rows on the way. */
export interface SlotSource {
  /** Slots for the first claims; `retryInMs` says when the next one can come free. */
  take(bucket: Bucket, claims: readonly Claim[]): Promise<{ slots: Slot[]; retryInMs: number }>
  close(bucket: Bucket, ms: number): Promise<void>
}

export interface SlotSourceOptions {
  database: Database
  limiter: Limiter
  windowsOf: (api: string) => readonly RateWindow[]
  timeoutMs: number
  onRebuilt?: () => void
}

const mostRebuilds = 5
const tryLaterMs = 200

export function createSlotSource(options: SlotSourceOptions): SlotSource {
  const { database, limiter, windowsOf, timeoutMs } = options
  const take = async (bucket: Bucket, claims: readonly Claim[]) => {
    const windows = windowsOf(bucket.api)
    const names = claims.map((claim) => `${claim.id}.${claim.fence}`)
    for (let tries = 0; tries < mostRebuilds; tries += 1) {
      const grant = await limiter.take(nameOf(bucket), names, { windows, timeoutMs, epoch: bucket.epoch })
      if (grant.kind === 'granted') return { slots: grant.slots, retryInMs: grant.retryInMs ?? 0 }
      if (grant.kind === 'wait') return { slots: [], retryInMs: grant.retryInMs }
      const used = bucket.epoch
      const fresh = randomBytes(9).toString('base64url')
      bucket.epoch = await renewEpoch(database.pool, bucket.id, used, fresh)
      if (bucket.epoch !== fresh) continue
      const longest = Math.max(...windows.map((window) => window.windowMs))
      const uses = await knownUses(
        database.pool,
        bucket.id,
        longest,
        claims.map((claim) => claim.id),
      )
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
