import { probes } from '../map.js'
import { type Bucket, type Claim, claimHeads } from '../outbox/claim.js'
import { type AttemptOptions, type Attempts, createAttempts, idsOf } from './attempt.js'
import { hold } from './holds.js'
import type { RateWindow, Slot } from './limiter/limiter.js'
import type { SlotSource } from './slots.js'
import type { Tokens } from './tokens.js'

export interface PumpOptions extends AttemptOptions {
  tokens: Tokens
  slots: SlotSource
  windows: readonly RateWindow[]
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
/** Slots come free one by one; waiting a little takes many in one round trip. */
const gatherMs = 25
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
  readonly #inFlight = new Set<Promise<void>>()
  readonly #stopped = new AbortController()
  #wakeUp: (() => void) | undefined
  #woken = false
  #claimSize = mostAtOnce
  #restMs = 0
  #inHand: readonly Claim[] = []
  #inHandSince = 0

  constructor(bucket: Bucket, options: PumpOptions) {
    this.#bucket = bucket
    this.#options = options
    this.#attempts = createAttempts(bucket, options)
  }

  wake(): void {
    this.#woken = true
    this.#wakeUp?.()
  }

  /** No new claims; what is in flight ends and settles. */
  stop(): void {
    this.#stopped.abort()
    this.wake()
  }

  /** Ends when nothing is due and nothing in flight, or when the bucket must rest. */
  async run(): Promise<PumpEnd> {
    try {
      while (!this.#stopped.signal.aborted && this.#restMs === 0) {
        this.#woken = false
        const pauseMs = await this.#turn()
        if (pauseMs === null && this.#inFlight.size === 0 && !this.#woken) break
        await this.#pause(pauseMs)
      }
    } finally {
      await this.#handBack(this.#inHand, this.#restMs)
      await Promise.all(this.#inFlight)
    }
    return { notBeforeMs: this.#restMs }
  }

  /** Answers how long to wait before the next turn; `null`: nothing is due, an answer or a hint will tell. */
  async #turn(): Promise<number | null> {
    const claimed = await this.#claim()
    if (claimed === null) return null
    const wanted = await this.#setAside(claimed)
    if (wanted.length === 0) return claimed.length === 0 ? null : 0
    const prepared = await this.#prepare(wanted)
    if (prepared === null) return null
    const { token, claims, slots, retryInMs } = prepared
    for (const [index, slot] of slots.entries()) {
      const claim = claims[index]
      if (claim) this.#track(claim, this.#attempt(claim, slot, token))
    }
    const left = claims.slice(slots.length)
    this.#options.onSlots?.(this.#bucket.api, slots.length, left.length)
    if (left.length > 0) return this.#wait(left, slots.length, retryInMs)
    this.#claimSize = mostAtOnce
    return 0
  }

  /** What got no slot stays in hand for a short wait; for a long one it goes back, and is claimed anew in time. */
  async #wait(left: readonly Claim[], granted: number, retryInMs: number): Promise<number> {
    const now = performance.now()
    const waitMs = granted === 0 ? retryInMs + clusterMs : Math.max(retryInMs, gatherMs)
    if (now + waitMs < this.#inHandSince + inHandMs) {
      this.#inHand = left
      return waitMs
    }
    const long = waitMs > inHandMs
    this.#claimSize = long ? mostAtOnce : Math.max(fewestAtOnce, 2 * granted)
    const restMs = long ? waitMs - leadMs : waitMs
    await this.#handBack(left, Math.max(0, restMs - leadMs))
    return Math.max(1, now + restMs - performance.now())
  }

  /** Those in hand, or heads that are due; `null` when no more may be in flight. */
  async #claim(): Promise<readonly Claim[] | null> {
    const inHand = this.#inHand
    this.#inHand = []
    if (inHand.length > 0) return inHand
    const room = Math.min(this.#claimSize, this.#mostInFlight() - this.#inFlight.size)
    if (room <= 0) return null
    this.#inHandSince = performance.now()
    const { database, timeoutMs, claimSlackMs } = this.#options
    return claimHeads(database.pool, this.#bucket.id, room, timeoutMs + claimSlackMs)
  }

  /** What was erased or canceled while it waited is not sent, nor what no key opens. */
  async #setAside(claims: readonly Claim[]): Promise<Claim[]> {
    const gone = claims.filter(
      (claim) =>
        claim.bodySealed === null ||
        (claim.backgroundCheckId !== null && claim.dataKey === null) ||
        claim.orderState === 'canceled',
    )
    const lastError = { reason: 'the order was canceled or erased while this waited' }
    await Promise.all(
      gone.map((claim) => this.#options.settle({ ...idsOf(claim), to: 'superseded', callMsAgo: null, lastError })),
    )
    const sealed = claims.filter((claim) => !gone.includes(claim) && !this.#attempts.canOpen(claim))
    const unreadable = {
      to: 'dead',
      class: 'ours',
      callMsAgo: null,
      lastError: { reason: 'its content cannot be opened' },
    } as const
    await Promise.all(sealed.map((claim) => this.#options.settle({ ...idsOf(claim), ...unreadable })))
    const toProbe = claims.filter((claim) => !gone.includes(claim) && !sealed.includes(claim) && this.#mustProbe(claim))
    await Promise.all(toProbe.map((claim) => this.#options.settle({ ...idsOf(claim), ...moveToProbe(claim) })))
    return claims.filter((claim) => ![...gone, ...sealed, ...toProbe].includes(claim))
  }

  /** Its process died in a create: whether that took effect is asked by another method, in whose bucket it goes on. */
  #mustProbe(claim: Claim): boolean {
    return claim.ambiguous && probes[claim.api] !== undefined && this.#bucket.api === claim.api
  }

  /** A token and slots; when either cannot be had, nothing of it was an attempt and the bucket rests. */
  async #prepare(wanted: readonly Claim[]): Promise<Prepared | null> {
    let claims = wanted
    try {
      const token = await this.#token(claims)
      if (token === null) return null
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
        this.wake()
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

function moveToProbe(claim: Claim) {
  return {
    to: 'pending',
    inMs: 0,
    attempt: 0,
    ambiguous: true,
    callMsAgo: null,
    lastError: { reason: 'an earlier attempt may have taken effect' },
    move: { toBucketOf: probes[claim.api] ?? claim.api, clears: false },
  } as const
}
