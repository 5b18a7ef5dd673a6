import type { RateWindow, Slot } from '../../platform/limiter/limiter.js'
import type { Bucket } from '../outbox/buckets.js'
import type { Claim } from '../outbox/claim.js'
import type { Settlement } from '../outbox/settlement.js'
import { type AttemptOptions, type Attempts, createAttempts, idsOf } from './attempt.js'
import { traceAttempts } from './attempt-spans.js'
import type { EpochOf } from './epochs.js'
import { Hand } from './hand.js'
import { hold } from './holds.js'
import type { Places } from './places.js'
import { setAside } from './set-aside.js'
import type { SlotSource } from './slots.js'
import type { Tokens } from './tokens.js'

export interface PumpOptions extends AttemptOptions {
  tokens: Tokens
  slots: SlotSource
  windows: readonly RateWindow[]
  /** Left out where no other process sends. */
  epochOf?: EpochOf
  /** Of the host that the bucket's app calls. */
  places: Places
  /** Answers in a row that asked a bucket to slow down; they outlive its pump. */
  slowDowns: Map<number, number>
  onSlots?: (api: string, granted: number, waiting: number) => void
}

const mostAtOnce = 50
const fewestAtOnce = 4
/** Pause after Redis or PostgreSQL did not answer. */
const notReadyMs = 1000
/** A hold keeps the bucket from being claimed again; this only ends the pump. */
const heldMs = 1000
/** Slots that come free close together are taken in one round trip. */
const gatherMs = 25
/** Where latency jitters they come free one by one, and a longer wait takes more of them at once. */
const gatherFewMs = 100
const fewSlots = 10
/** Calls that were sent together are answered nearly so, and with them their slots come free. */
const clusterMs = 5
/** After a long wait, claims are made this much before the slots are expected. */
const leadMs = 15
/** Claims are kept in hand this long while slots are about to come free, and then handed back. */
const inHandMs = 250

interface Prepared {
  token: string
  claims: readonly Claim[]
  slots: Slot[]
  retryInMs: number
}

/** Why a pump ended, and how long its bucket has to rest. */
export interface PumpEnd {
  notBeforeMs: number
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
  readonly #inFlight = new Set<Promise<void>>()
  readonly #stopped = new AbortController()
  #wakeUp: (() => void) | undefined
  #woken = false
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
    const { database, timeoutMs, claimSlackMs, epochOf } = options
    const claimMs = timeoutMs + claimSlackMs
    this.#hand = new Hand(bucket, { sql: database.pool, claimMs, ...(epochOf && { epochOf }) })
  }

  /** Something in the bucket is due. */
  wake(): void {
    this.#hand.thereIsMore()
    this.#goOn()
  }

  /** No new claims; what is in flight ends and settles. */
  stop(): void {
    this.#stopped.abort()
    this.wake()
  }

  /** Ends when nothing is due and nothing in flight, or when the bucket must rest. */
  async run(): Promise<PumpEnd> {
    try {
      await this.#askForToken()
      while (!this.#stopped.signal.aborted && this.#restMs === 0) {
        this.#woken = false
        const pauseMs = this.#hand.drained && this.#hand.held.length === 0 ? null : await this.#turn()
        if (pauseMs === null && this.#inFlight.size === 0 && !this.#woken) break
        await this.#pause(pauseMs)
      }
    } finally {
      await this.#handBack(this.#hand.held, this.#restMs)
      await Promise.all(this.#inFlight)
    }
    return { notBeforeMs: this.#restMs }
  }

  #goOn(): void {
    this.#woken = true
    this.#wakeUp?.()
  }

  /**
   * Answers how long to wait before the next turn; `null`: nothing is due, an answer or a hint will tell. Places come
   * before claims and slots, as neither keeps well.
   */
  async #turn(): Promise<number | null> {
    const room = this.#hand.held.length || Math.min(this.#claimSize, this.#mostInFlight() - this.#inFlight.size)
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
      if (claim) this.#track(claim, this.#attempt(claim, slot, token).finally(occupy()))
    }
    const left = claims.slice(slots.length)
    this.#options.onSlots?.(this.#bucket.api, slots.length, left.length)
    if (left.length > 0) return this.#wait(left, slots.length, retryInMs)
    this.#claimSize = mostAtOnce
    if (this.#hand.drained) return null
    // The window is full now: what would be claimed for it would only go back.
    return Math.max(0, retryInMs - leadMs)
  }

  /** What got no slot stays in hand for a short wait; for a long one it goes back, and is claimed anew in time. */
  async #wait(left: readonly Claim[], granted: number, retryInMs: number): Promise<number> {
    const now = performance.now()
    const waitMs =
      granted === 0 ? retryInMs + clusterMs : Math.max(retryInMs, granted < fewSlots ? gatherFewMs : gatherMs)
    if (now + waitMs < this.#hand.since + inHandMs) {
      this.#hand.keep(left)
      return waitMs
    }
    const long = waitMs > inHandMs
    this.#claimSize = long ? mostAtOnce : Math.max(fewestAtOnce, 2 * granted)
    const restMs = long ? waitMs - leadMs : waitMs
    await this.#handBack(left, Math.max(0, restMs - leadMs))
    return Math.max(1, now + restMs - performance.now())
  }

  /** A token and slots; when either cannot be had, nothing of it was an attempt and the bucket rests. */
  async #prepare(wanted: readonly Claim[]): Promise<Prepared | null> {
    let claims = wanted
    try {
      const token = await this.#token(claims)
      if (token === null || !(await this.#mayTake(claims))) return null
      for (const claim of claims.filter((each) => this.#attempts.wantsLook(each))) {
        this.#track(claim, this.#attempts.look(claim, token))
      }
      claims = claims.filter((each) => !this.#attempts.wantsLook(each))
      if (claims.length === 0) return { token, claims, slots: [], retryInMs: 0 }
      return { token, claims, ...(await this.#options.slots.take(this.#bucket, claims)) }
    } catch (failure) {
      this.#options.log.warn({ event: 'pump.not_ready', ...this.#ids(), err: failure }, 'no token or no slots')
      this.#restMs = notReadyMs
      await this.#handBack(claims, notReadyMs)
      return null
    }
  }

  /** What another process sends from now is left to it. */
  async #mayTake(claims: readonly Claim[]): Promise<boolean> {
    if (await this.#hand.isOurs()) return true
    this.stop()
    await this.#handBack(claims, 0)
    return false
  }

  /** The first token of a tenant takes several trips, and no call should wait for its place meanwhile. */
  async #askForToken(): Promise<void> {
    const { tokens, log } = this.#options
    await tokens.tenantToken(this.#bucket.appId, this.#bucket.tenantKey).catch((failure: unknown) => {
      // It is asked for again, and its absence handled, when there are claims.
      log.debug({ event: 'pump.no_token_yet', ...this.#ids(), err: failure }, 'no token yet')
    })
  }

  #mostInFlight(): number {
    return Math.min(...this.#options.windows.map((window) => window.limit))
  }

  /** Without a token nothing is sent and nothing ages; a refusal that a person has to mend parks the tenant or the app. */
  async #token(claims: readonly Claim[]): Promise<string | null> {
    const answer = await this.#options.tokens.tenantToken(this.#bucket.appId, this.#bucket.tenantKey)
    if (answer.kind === 'token') return answer.token
    const { reason, code, retryInMs } = answer
    if (answer.class === 'app' || answer.class === 'tenant') {
      await hold(this.#options.database.pool, this.#bucket, { scope: answer.class, code, reason })
    }
    this.#options.log.warn({ event: 'feishu.no_token', ...this.#ids(), code, class: answer.class, reason }, 'no token')
    this.#restMs = Math.max(100, retryInMs)
    await this.#handBack(claims, this.#restMs, reason)
    return null
  }

  async #handBack(claims: readonly Claim[], inMs: number, reason?: string): Promise<void> {
    const settled = { to: 'pending', inMs, attempt: 0, ambiguous: false } as const
    const lastError = reason === undefined ? null : { reason }
    await Promise.all(
      claims.map((claim) => this.#options.settle({ ...idsOf(claim), ...settled, callMsAgo: null, lastError })),
    )
  }

  #track(claim: Claim, work: Promise<void>): void {
    const sending = work
      .catch((failure: unknown) => {
        // The claim ends by the clock, and its call counts as one whose outcome is not known.
        this.#options.log.error(
          { event: 'feishu.attempt_crashed', ...this.#ids(), delivery_id: claim.id, err: failure },
          'an attempt crashed',
        )
      })
      .finally(() => {
        this.#inFlight.delete(sending)
        this.#goOn()
      })
    this.#inFlight.add(sending)
  }

  async #attempt(claim: Claim, slot: Slot, token: string): Promise<void> {
    const { slowDowns } = this.#options
    const before = slowDowns.get(this.#bucket.id) ?? 0
    const aside = await this.#attempts.send(claim, slot, token, before)
    if (aside.kind === 'slow_down') slowDowns.set(this.#bucket.id, before + 1)
    else slowDowns.delete(this.#bucket.id)
    if (aside.kind === 'slow_down') this.#restMs = Math.max(this.#restMs, aside.resetMs)
    if (aside.kind === 'hold') this.#restMs = Math.max(this.#restMs, heldMs)
  }

  #ids() {
    const { id, appId, tenantKey, api } = this.#bucket
    return { bucket_id: id, app_id: appId, tenant_key: tenantKey, api }
  }

  #pause(ms: number | null): Promise<void> {
    if (ms === 0 || (ms === null && this.#woken) || this.#stopped.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(resolve, ms)
      this.#wakeUp = () => {
        // While slots are awaited, answers and hints bring none.
        if (ms !== null && !this.#stopped.signal.aborted) return
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
