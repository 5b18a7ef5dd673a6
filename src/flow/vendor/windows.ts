import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Database } from '../../platform/database/database.js'
import type { KnownUse, Limiter, Lost, RateWindow, Slot, Terms } from '../../platform/limiter/limiter.js'
import type { Logger } from '../../platform/logger.js'
import type { Urgency } from './semaphore.js'

/** Whether the vendor may be called now. Who got a slot gives it back: used right after the answer, else unused. */
export interface VendorWindows {
  take(urgency: Urgency): Promise<{ slot: Slot | null } | { retryInMs: number }>
  giveBack(slot: Slot, used: boolean): Promise<void>
  /** The vendor asked not to be called for so long. */
  close(ms: number): Promise<void>
}

/** Without windows there is nothing to count; what the vendor asks of one process only that process knows. */
export function noWindows(now: () => number = () => performance.now()): VendorWindows {
  let closedUntil = 0
  return {
    take: async () => (now() < closedUntil ? { retryInMs: Math.ceil(closedUntil - now()) } : { slot: null }),
    giveBack: async () => undefined,
    close: async (ms) => {
      closedUntil = Math.max(closedUntil, now() + ms)
    },
  }
}

export interface VendorWindowsOptions {
  database: Database
  limiter: Limiter
  log: Logger
  /** The vendor's host: what the limiter counts together. */
  host: string
  /** At least one. */
  windows: readonly RateWindow[]
  /** One call, whole. */
  timeoutMs: number
  /** No other process calls the vendor. */
  alone: boolean
  /** This process' monotonic ms. */
  now?: () => number
}

const mostRebuilds = 5
const rebuildMs = 25
const tryLaterMs = 200
/** The store of the limiter does not answer: without it nobody knows how many calls are under way. */
const storeAwayMs = 1000
const slackMs = 5000

/** Windows that hold over all processes, in the limiter that Feishu's calls go through. */
export function createVendorWindows(options: VendorWindowsOptions): VendorWindows {
  const { limiter, log, timeoutMs } = options
  const bucket = `vendor/${options.host}`
  const origin = randomBytes(6).toString('base64url')
  const epochs = createEpochs(options.database, options.host, options.now ?? (() => performance.now()))
  let calls = 0
  let rebuilding: Promise<void> | undefined

  const rebuild = async (lost: Lost, terms: Terms): Promise<void> => {
    const renewed = await epochs.renew(terms.epoch)
    if (renewed === null) await setTimeout(rebuildMs)
    else await limiter.rebuild(bucket, lost, usesBefore(options, terms.epoch), { ...terms, epoch: renewed })
  }

  const takeOrRebuild = async (urgency: Urgency) => {
    calls += 1
    const name = `${origin}.${calls.toString(36)}`
    for (let tries = 0; tries < mostRebuilds; tries += 1) {
      const epoch = await epochs.current()
      const terms = { windows: windowsFor(urgency, options.windows), timeoutMs, epoch }
      const grant = await limiter.take(bucket, [name], terms)
      const slot = grant.kind === 'granted' ? grant.slots[0] : undefined
      if (slot !== undefined) return { slot }
      if (grant.kind !== 'lost') return { retryInMs: Math.max(1, grant.retryInMs ?? tryLaterMs) }
      // Whoever finds the same loss between the new epoch and the rebuild would take it for another one.
      rebuilding ??= rebuild(grant, terms).finally(() => {
        rebuilding = undefined
      })
      await rebuilding
    }
    return { retryInMs: tryLaterMs }
  }

  return {
    take: async (urgency) => {
      try {
        return await takeOrRebuild(urgency)
      } catch (failure) {
        log.warn(
          { event: 'vendor.windows_unknown', err: failure },
          'the vendor is not called: its windows are not known',
        )
        return { retryInMs: storeAwayMs }
      }
    },
    giveBack: async (slot, used) => {
      const back = used ? ({ slot, used, answeredMsAgo: 0 } as const) : ({ slot, used } as const)
      await limiter.giveBack([back]).catch((failure: unknown) => {
        // It expires by itself, later.
        log.debug({ event: 'vendor.slot_kept', err: failure }, 'a slot could not be given back')
      })
    },
    close: async (ms) => {
      await limiter.close(bucket, ms).catch((failure: unknown) => {
        log.warn(
          { event: 'vendor.not_closed', err: failure },
          'the vendor asked for a pause that others do not know of',
        )
      })
    },
  }
}

/** What is not urgent leaves a quarter of each window free, in all processes. */
function windowsFor(urgency: Urgency, windows: readonly RateWindow[]): Terms['windows'] {
  if (urgency === 'urgent') return windows
  return windows.map(({ limit, windowMs }) => ({ limit: limit - Math.floor(limit / 4), windowMs }))
}

/** Calls to the vendor leave no rows: after a loss every window counts as full, but the first time. */
function usesBefore({ windows, timeoutMs, alone }: VendorWindowsOptions, epoch: string): KnownUse[] {
  if (epoch === '') return []
  const most = Math.max(...windows.map(({ limit }) => limit))
  const names = Array.from({ length: most }, (_, index) => `lost-${index}`)
  // A process that is alone has just started: what the one before it sent has arrived or never will.
  return names.map((name) => (alone ? { name, answeredMsAgo: 0 } : { name, arrivesWithinMs: timeoutMs + slackMs }))
}

/**
 * An epoch is read again when it is so old. While two primaries of Redis are taken for one, as in a failover that the old
 * one has not heard of, others may have rebuilt the bucket at the new one. That counts as full for as long as a call and
 * `slackMs`, which is longer than what was granted at the old one within this time can take to arrive.
 */
const epochMs = 2000

/** The limiter's epoch is a row: whoever finds another one than the limiter's knows that its state was lost. */
function createEpochs({ pool }: Database, host: string, now: () => number) {
  const key = ['', '', `vendor ${host}`]
  let known: { epoch: string; askedAt: number } | undefined
  let asking: Promise<string> | undefined
  const read = async (): Promise<string> => {
    const text = 'SELECT epoch FROM buckets WHERE app_id = $1 AND tenant_key = $2 AND api = $3'
    const { rows } = await pool.query<{ epoch: string }>(text, key)
    const [row] = rows
    if (row !== undefined) return row.epoch
    await pool.query('INSERT INTO buckets (app_id, tenant_key, api) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', key)
    return read()
  }
  const ask = async (): Promise<string> => {
    const [askedAt, before] = [now(), known]
    const epoch = await read()
    // Renewed meanwhile: what was read may be older.
    if (known === before) known = { epoch, askedAt }
    return known?.epoch ?? epoch
  }
  return {
    // One question for all who wait: a second one could be answered between a renewal and its rebuild, and lead to another.
    current: async () => {
      if (known !== undefined && now() - known.askedAt <= epochMs) return known.epoch
      asking ??= ask().finally(() => {
        asking = undefined
      })
      return asking
    },
    /** `null`: another process gave a new one first. */
    renew: async (from: string): Promise<string | null> => {
      const askedAt = now()
      const fresh = randomBytes(9).toString('base64url')
      const renewed = await pool.query(
        'UPDATE buckets SET epoch = $5 WHERE app_id = $1 AND tenant_key = $2 AND api = $3 AND epoch = $4',
        [...key, from, fresh],
      )
      known = { epoch: renewed.rowCount === 1 ? fresh : await read(), askedAt }
      return renewed.rowCount === 1 ? fresh : null
    },
  }
}
