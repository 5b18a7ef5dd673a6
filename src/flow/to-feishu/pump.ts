import type { RateWindow, Slot } from '../../platform/limiter/limiter.js'
import type { Bucket } from '../outbox/buckets.js'
import type { Claim } from '../outbox/claim.js'
import type { Settlement } from '../outbox/settlement.js'
import { type AttemptOptions, type Attempts, createAttempts } from './attempt.js'
import { traceAttempts } from './attempt-spans.js'
import { askAhead, tokenOf } from './bucket-token.js'
import type { EpochOf } from './epochs.js'
import { Hand } from './hand.js'
import { handBack } from './hand-back.js'
import { InFlight } from './in-flight.js'
import { bucketIds } from './log-ids.js'
import { mostAtOnce, mostInFlight, notReadyMs, paceWithoutSlots, restAfter, restLeft, restWhenFull } from './pacing.js'
import { Pause } from './pause.js'
import type { Places } from './places.js'
import { setAside } from './set-aside.js'

export interface PumpOptions extends AttemptOptions {
  windows: readonly RateWindow[]
  /** Left out where no other process sends. */
  epochOf?: EpochOf
  /** Of the host that the bucket's app calls. */
  places: Places
  /** Answers in a row that asked a bucket to slow down; they outlive its pump. */
  slowDowns: Map<number, number>
  onSlots?: (api: string, granted: number, waiting: number) => void
}

interface Prepared {
  token: string
  claims: readonly Claim[]
  slots: Slot[]
  retryInMs: number
}

/**
 * Sends what is due in one bucket, one pump at a time over all processes: claim heads, take slots for them in one round
 * trip, send them at once, settle in batches, and come back when the next slot or delivery is due.
 */
export class Pump {
  readonly #bucket: Bucket
  readonly #options: PumpOptions
  readonly #attempts: Attempts
  readonly #hand: Hand
  readonly #stopped = new AbortController()
  readonly #pause = new Pause(this.#stopped.signal)
  readonly #inFlight: InFlight
  #claimSize = mostAtOnce
  #restMs = 0

  constructor(bucket: Bucket, options: PumpOptions) {
    this.#bucket = bucket
    const settle = async (settlement: Settlement) => {
      await options.settle(settlement)
      if (settlement.to === 'pending') this.#hand.thereIsMore()
    }
    this.#options = { ...options, settle }
    this.#attempts = traceAttempts(bucket, createAttempts(bucket, this.#options))
    const { database, log, timeoutMs, claimSlackMs, epochOf } = options
    const claimMs = timeoutMs + claimSlackMs
    this.#hand = new Hand(bucket, { sql: database.pool, claimMs, ...(epochOf && { epochOf }) })
    this.#inFlight = new InFlight(bucket, log, () => this.#pause.wake())
  }

  /** Something in the bucket is due. */
  wake(): void {
    this.#hand.thereIsMore()
    this.#pause.wake()
  }

  /** No new claims; what is in flight ends and settles. */
  stop(): void {
    this.#stopped.abort()
    this.wake()
  }

  /** Ends when nothing is due and nothing in flight, or when the bucket must rest: for how long it answers. */
  async run(): Promise<{ notBeforeMs: number }> {
    try {
      await askAhead(this.#bucket, this.#options)
      while (!this.#stopped.signal.aborted && this.#restMs === 0) {
        this.#pause.beginTurn()
        const pauseMs = this.#hand.drained && this.#hand.held.length === 0 ? null : await this.#turn()
        if (pauseMs === null && this.#inFlight.size === 0 && !this.#pause.woken) break
        await this.#pause.for(pauseMs)
      }
    } finally {
      await this.#handBack(this.#hand.held, this.#restMs)
      await this.#inFlight.allEnded()
    }
    return { notBeforeMs: this.#restMs }
  }

  /** How long to wait for the next turn; null: until an answer or a hint. Takes places first: claims and slots go stale. */
  async #turn(): Promise<number | null> {
    const mostNow = mostInFlight(this.#options.windows) - this.#inFlight.size
    const room = this.#hand.held.length || Math.min(this.#claimSize, mostNow)
    if (room <= 0) return null
    const { places } = this.#options
    let unused = await places.take(room)
    const occupy = () => {
      unused -= 1
      return places.begin()
    }
    try {
      return this.#stopped.signal.aborted ? null : await this.#send(unused, occupy)
    } finally {
      places.giveBack(unused)
    }
  }

  /** `occupy` takes one of the places, and answers what gives it back. */
  async #send(most: number, occupy: () => () => void): Promise<number | null> {
    const claimed = await this.#hand.take(most)
    const wanted = await setAside(claimed, this.#bucket, this.#attempts, this.#options.settle)
    if (wanted.length === 0) return claimed.length === 0 ? null : 0
    const prepared = await this.#prepare(wanted)
    if (prepared === null) return null
    const { token, claims, slots, retryInMs } = prepared
    for (const [index, slot] of slots.entries()) {
      const claim = claims[index]
      if (claim) this.#inFlight.add(claim, this.#attempt(claim, slot, token).finally(occupy()))
    }
    const left = claims.slice(slots.length)
    this.#options.onSlots?.(this.#bucket.api, slots.length, left.length)
    if (left.length > 0) return this.#keepOrHandBack(left, slots.length, retryInMs)
    this.#claimSize = mostAtOnce
    return this.#hand.drained ? null : restWhenFull(retryInMs)
  }

  /** A token and slots. When either cannot be had, nothing is sent, no delivery ages, and the bucket rests. */
  async #prepare(wanted: readonly Claim[]): Promise<Prepared | null> {
    let claims = wanted
    try {
      const answer = await tokenOf(this.#bucket, this.#options)
      if (answer.kind === 'none') return await this.#rest(claims, answer.restMs, answer.reason)
      if (!(await this.#hand.isOurs())) return await this.#leave(claims)
      const { token } = answer
      for (const claim of claims.filter((each) => this.#attempts.wantsLook(each))) {
        this.#inFlight.add(claim, this.#attempts.look(claim, token))
      }
      claims = claims.filter((each) => !this.#attempts.wantsLook(each))
      if (claims.length === 0) return { token, claims, slots: [], retryInMs: 0 }
      return { token, claims, ...(await this.#options.slots.take(this.#bucket, claims)) }
    } catch (failure) {
      const line = { event: 'pump.not_ready', ...bucketIds(this.#bucket), err: failure }
      this.#options.log.warn(line, 'no token or no slots')
      return this.#rest(claims, notReadyMs)
    }
  }

  async #rest(claims: readonly Claim[], ms: number, reason?: string): Promise<null> {
    this.#restMs = ms
    await this.#handBack(claims, ms, reason)
    return null
  }

  /** What another process sends from now is left to it. */
  async #leave(claims: readonly Claim[]): Promise<null> {
    this.stop()
    await this.#handBack(claims, 0)
    return null
  }

  async #attempt(claim: Claim, slot: Slot, token: string): Promise<void> {
    const { slowDowns } = this.#options
    const before = slowDowns.get(this.#bucket.id) ?? 0
    const aside = await this.#attempts.send(claim, slot, token, before)
    if (aside.kind === 'slow_down') slowDowns.set(this.#bucket.id, before + 1)
    else slowDowns.delete(this.#bucket.id)
    this.#restMs = Math.max(this.#restMs, restAfter(aside))
  }

  /** What got no slot; answers how long to wait for the next turn. */
  async #keepOrHandBack(left: readonly Claim[], granted: number, retryInMs: number): Promise<number> {
    const now = performance.now()
    const pace = paceWithoutSlots({ granted, retryInMs, inHandForMs: now - this.#hand.since })
    if (pace.kind === 'keep') {
      this.#hand.keep(left)
      return pace.restMs
    }
    this.#claimSize = pace.claimSize
    await this.#handBack(left, pace.dueInMs)
    return restLeft(pace.restMs, performance.now() - now)
  }

  #handBack(claims: readonly Claim[], inMs: number, reason?: string): Promise<void> {
    return handBack(claims, this.#options.settle, inMs, reason)
  }
}
