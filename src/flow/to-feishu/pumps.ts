import { randomUUID } from 'node:crypto'
import { createBatcher } from '../../platform/batcher.js'
import type { Limiter, RateWindow, SlotReturn } from '../../platform/limiter/limiter.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import { type Bucket, leaseDueBuckets, releaseBucket, renewBuckets } from '../outbox/buckets.js'
import type { Keepers } from '../outbox/keepers.js'
import type { SettledDelivery } from '../outbox/settle.js'
import type { Settlement } from '../outbox/settlement.js'
import { readEpochs } from './epochs.js'
import { createPlaces, type Places } from './places.js'
import { Pump, type PumpOptions } from './pump.js'
import { settleThroughOutages } from './settling.js'

/**
 * The room `to-feishu`: sends what is due, in each bucket by one pump at a time over all processes.
 *
 * Rows say what is due; a hint with a bucket's id starts its pump at once, and a scan by the clock finds what no hint
 * announced. A pump's lease is renewed while it runs, so a process that dies loses its buckets within seconds.
 */
export interface PumpsOptions
  extends Omit<PumpOptions, 'settle' | 'giveBack' | 'windows' | 'places' | 'slowDowns' | 'claimSlackMs' | 'epochOf'> {
  limiter: Limiter
  /** No other process sends. */
  alone: boolean
  keepers: Keepers
  windowsOf: (api: string) => readonly RateWindow[]
  /** Called with buckets that got something to do. */
  onReady: (buckets: readonly number[]) => void
  onSettled?: (delivery: SettledDelivery) => void
  onFailure?: (name: string) => void
}

export interface Pumps extends Loop {
  /** Starts the pump of one bucket, or wakes it. */
  wakeBucket(id: number): void
}

const scanMs = 2000
/** A timer that fires a moment before PostgreSQL's clock says so would find nothing due. */
const earlyMs = 3
const leaseMs = 20_000
const renewMs = 5000
const mostPumps = 500
/** Calls in flight per app (apps may use different hosts). Slow calls are counted apart. */
const placesTerms = { most: 512, mostSlow: 4096, slowAfterMs: 1000 }
const largestSettlement = 200
/** Calls that were sent together are answered within so much, and are then settled in one transaction. */
const settleGatherMs = 5
/** One alone spends most of its time between its statements; a full one waits for no other. */
const settlementsAtOnce = 3
/** A claim outlives its call by this, so that a slow settlement still finds its fence. */
const claimSlackMs = 20_000
/** A slot comes free one window after its answer, so telling it a little later costs nothing and saves round trips. */
const returnWithinMs = 200

export function startPumps(options: PumpsOptions): Pumps {
  const { database, log } = options
  const owner = randomUUID()
  const pumps = new Map<number, { pump: Pump; ended: Promise<void> }>()
  const timers = new Set<NodeJS.Timeout>()
  const wanted = new Set<number>()
  const leasedAgain = new Set<number>()
  const slowDowns = new Map<number, number>()
  const placesOf = new Map<string, Places>()
  const epochOf = options.alone ? undefined : readEpochs(database.pool, owner)
  let stopping = false

  const settle = async (batch: Settlement[]) => {
    const { settled, buckets } = await settleThroughOutages(options, batch)
    for (const delivery of settled) options.onSettled?.(delivery)
    if (buckets.length > 0) options.onReady(buckets)
  }
  const settlements = createBatcher(largestSettlement, settle, settleGatherMs, settlementsAtOnce)
  const returns = createBatcher<{ back: SlotReturn; at: number }>(
    largestSettlement,
    (batch) => options.limiter.giveBack(batch.map(({ back, at }) => aged(back, performance.now() - at))),
    returnWithinMs,
  )
  const giveBack = (back: SlotReturn): void => {
    returns.add({ back, at: performance.now() }).catch((failure: unknown) => {
      // The slot expires by itself, later than it need; nothing else depends on it.
      log.debug({ event: 'limiter.return_lost', err: failure }, 'a slot could not be given back')
    })
  }

  const placesFor = (appId: string) => {
    const places = placesOf.get(appId) ?? createPlaces(placesTerms)
    placesOf.set(appId, places)
    return places
  }

  const start = (bucket: Bucket) => {
    const pump = new Pump(bucket, {
      ...options,
      slowDowns,
      claimSlackMs,
      windows: options.windowsOf(bucket.api),
      places: placesFor(bucket.appId),
      ...(epochOf && { epochOf }),
      settle: (settlement) => settlements.add(settlement),
      giveBack,
    })
    const ended = pump
      .run()
      .catch((failure: unknown) => {
        options.onFailure?.('pump')
        log.error({ event: 'pump.crashed', bucket_id: bucket.id, err: failure }, 'a pump crashed')
        return { notBeforeMs: 500 }
      })
      .then(({ notBeforeMs }) => end(bucket.id, notBeforeMs))
      .catch((failure: unknown) => {
        // The lease ends by the clock.
        log.warn({ event: 'pump.release_failed', bucket_id: bucket.id, err: failure }, 'a lease could not be released')
        leasedAgain.delete(bucket.id)
        pumps.delete(bucket.id)
      })
    pumps.set(bucket.id, { pump, ended })
  }

  const end = async (id: number, notBeforeMs: number) => {
    let dueInMs = await releaseBucket(database.pool, owner, id, notBeforeMs)
    // A scan has leased it since, before this process heard of the release.
    while (leasedAgain.delete(id)) dueInMs = (await releaseBucket(database.pool, owner, id, notBeforeMs)) ?? dueInMs
    pumps.delete(id)
    if (stopping || dueInMs === null) return
    if (wanted.delete(id) || dueInMs < scanMs) wakeIn(id, dueInMs)
  }

  const wakeIn = (id: number, ms: number) => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      wakeBucket(id)
    }, Math.ceil(ms) + earlyMs)
    timers.add(timer)
  }

  const wakeBucket = (id: number) => {
    const running = pumps.get(id)
    wanted.add(id)
    if (running) running.pump.wake()
    else loop.wake()
  }

  let scannedAt = Number.NEGATIVE_INFINITY
  const turn = async () => {
    const room = mostPumps - pumps.size
    if (room <= 0) return scanMs
    const ids = [...wanted].filter((id) => !pumps.has(id))
    for (const id of ids) wanted.delete(id)
    const scan = performance.now() - scannedAt >= scanMs
    if (!scan && ids.length === 0) return scanMs
    const leased = await leaseDueBuckets(database.pool, owner, leaseMs, room, scan ? null : ids)
    if (scan) scannedAt = performance.now()
    for (const bucket of leased) {
      // Its pump still runs here: after a stall of the database the lease ran out, or it is being released.
      if (pumps.has(bucket.id)) leasedAgain.add(bucket.id)
      else if (stopping) await releaseBucket(database.pool, owner, bucket.id, 0)
      else start(bucket)
    }
    return leased.length === room ? 0 : scanMs
  }
  const loop = startLoop({
    name: 'pumps',
    everyMs: scanMs,
    turn,
    log,
    ...(options.onFailure && { onFailure: options.onFailure }),
  })
  const renewal = startLoop({
    name: 'pump-leases',
    everyMs: renewMs,
    log,
    ...(options.onFailure && { onFailure: options.onFailure }),
    turn: async () => {
      // Not those that start while PostgreSQL answers.
      const asked = [...pumps]
      const ids = asked.map(([id]) => id)
      const mine = await renewBuckets(database.pool, owner, ids, leaseMs)
      for (const [id, { pump }] of asked) if (!mine.has(id)) pump.stop()
      return renewMs
    },
  })

  return {
    wake: loop.wake,
    wakeBucket,
    stop: async () => {
      stopping = true
      for (const timer of timers) clearTimeout(timer)
      await loop.stop()
      for (const { pump } of pumps.values()) pump.stop()
      await Promise.all([...pumps.values()].map(({ ended }) => ended))
      await Promise.all([settlements.idle(), returns.idle()])
      await renewal.stop()
    },
  }
}

function aged(back: SlotReturn, ms: number): SlotReturn {
  return back.used ? { ...back, answeredMsAgo: back.answeredMsAgo + ms } : back
}
