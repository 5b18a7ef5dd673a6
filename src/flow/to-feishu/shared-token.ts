import { setTimeout as sleep } from 'node:timers/promises'
import { backoffCeilingMs } from './retry.js'
import { type AuthAnswer, later, type TokenAnswer, type TokenUnavailable } from './token-answers.js'
import type { StoredToken, TokenKey, TokenStore } from './tokens-store.js'

const minute = 60_000
/** Feishu gives a new token when less than 30 min remain and the same one before that (§4.2). */
const earlyMs = 25 * minute
/** A call that begins with less may arrive after the end. */
const marginMs = 5_000
const pauseMs = 100

export interface SharedTokenParts {
  key: TokenKey
  store: TokenStore
  now: () => number
  random: () => number
  /** Longer than a fetch takes: when it ends, another process may fetch as well, which costs a call and no more. */
  leaseMs: number
  /** A refresh failed by an error while the token in use is still good. */
  onError: (error: unknown) => void
}

export type Fetch = (backoffMs: number) => Promise<AuthAnswer>

/**
 * One token of one app in one tenant: in memory, in the store for all processes, and from Feishu, where one caller at a
 * time fetches it. A token that is about to end stays in use while the next one is fetched.
 */
export class SharedToken {
  readonly #parts: SharedTokenParts
  readonly #fetch: Fetch
  #held: StoredToken | null = null
  #evicted: string | null = null
  #refreshAtMs = 0
  #refusal: { answer: TokenUnavailable; untilMs: number } | null = null
  #flight: Promise<TokenAnswer> | null = null
  #failures = 0

  constructor(parts: SharedTokenParts, fetch: Fetch) {
    this.#parts = parts
    this.#fetch = fetch
  }

  async get(): Promise<TokenAnswer> {
    const now = this.#parts.now()
    const held = this.#usable()
    if (held && now < this.#refreshAtMs) return held
    const refusal = this.#standingRefusal(now)
    if (refusal) return held ?? refusal
    if (held === null) return this.#takeOff()
    if (this.#flight === null) this.#takeOff().catch((error: unknown) => this.#failedUnseen(error))
    return held
  }

  /** A rest longer than it was at first comes of a clock that was set back. */
  #standingRefusal(now: number): TokenUnavailable | null {
    if (this.#refusal === null) return null
    const restMs = this.#refusal.untilMs - now
    return restMs > 0 && restMs <= this.#refusal.answer.retryInMs ? this.#refusal.answer : null
  }

  /** True when it was the one in use here. */
  async evict(token: string): Promise<boolean> {
    const inUse = this.#held?.token === token
    // A read of the store that is under way may bring it back.
    this.#evicted = token
    if (inUse) this.#held = null
    await this.#parts.store.evict(this.#parts.key, token)
    return inUse
  }

  /** Whatever is in use or stored. */
  async evictAny(): Promise<void> {
    const token = this.#held?.token ?? (await this.#parts.store.read(this.#parts.key))?.token
    if (token !== undefined) await this.evict(token)
  }

  /** Something changed that may let the next try succeed. */
  forgetRefusal(): void {
    this.#refusal = null
  }

  #takeOff(): Promise<TokenAnswer> {
    this.#flight ??= this.#renew().finally(() => {
      this.#flight = null
    })
    return this.#flight
  }

  #failedUnseen(error: unknown): void {
    this.#refreshAtMs = this.#parts.now() + marginMs
    this.#parts.onError(error)
  }

  #usable(): TokenAnswer | null {
    const good = this.#held !== null && this.#held.expiresAtMs - this.#parts.now() > marginMs
    return good && this.#held ? { kind: 'token', token: this.#held.token } : null
  }

  async #renew(): Promise<TokenAnswer> {
    for (let pauses = 0; pauses * pauseMs < this.#parts.leaseMs; pauses++) {
      const fresh = await this.#fromStore()
      if (fresh) return fresh
      if (await this.#lease()) return this.#fetchOnce()
      const held = this.#usable()
      if (held) return this.#keepUsing(held)
      await sleep(pauseMs)
    }
    return later(null, 'another process is fetching the token', 1_000)
  }

  #lease(): Promise<boolean> {
    const now = this.#parts.now()
    return this.#parts.store.lease(this.#parts.key, now, now + this.#parts.leaseMs)
  }

  /** Holds what the store has; answers it only when it need not be refreshed. */
  async #fromStore(): Promise<TokenAnswer | null> {
    const stored = await this.#parts.store.read(this.#parts.key)
    this.#held = stored?.token === this.#evicted ? null : stored
    if (stored === null || this.#held === null) return null
    this.#refreshAtMs = stored.expiresAtMs - earlyMs
    return this.#parts.now() < this.#refreshAtMs ? this.#usable() : null
  }

  /** Another process refreshes: its token is there soon. */
  #keepUsing(held: TokenAnswer): TokenAnswer {
    this.#refreshAtMs = this.#parts.now() + marginMs
    return held
  }

  async #fetchOnce(): Promise<TokenAnswer> {
    // Between our look and the lease another process may have finished.
    const fresh = await this.#fromStore()
    if (fresh) return this.#release(fresh)
    try {
      const asked = this.#parts.now()
      return await this.#settle(await this.#fetch(this.#backoffMs()), asked)
    } catch (error) {
      await this.#parts.store.release(this.#parts.key)
      throw error
    }
  }

  async #settle(answer: AuthAnswer, asked: number): Promise<TokenAnswer> {
    if (answer.kind === 'given') return this.#keep(answer.token, asked + answer.lifeMs)
    const refusal =
      answer.kind === 'unavailable' ? answer : later(answer.code, 'Feishu gives no access token', this.#backoffMs())
    this.#failures++
    this.#refusal = { answer: refusal, untilMs: this.#parts.now() + refusal.retryInMs }
    return this.#release(this.#usable() ?? refusal)
  }

  async #keep(token: string, expiresAtMs: number): Promise<TokenAnswer> {
    await this.#parts.store.save(this.#parts.key, token, expiresAtMs)
    const now = this.#parts.now()
    this.#held = { token, expiresAtMs }
    this.#refusal = null
    this.#evicted = null
    this.#failures = 0
    // A token of a short life must not be fetched anew for each call.
    this.#refreshAtMs = Math.max(expiresAtMs - earlyMs, now + (expiresAtMs - now) / 2)
    return { kind: 'token', token }
  }

  async #release(answer: TokenAnswer): Promise<TokenAnswer> {
    await this.#parts.store.release(this.#parts.key)
    return answer
  }

  #backoffMs(): number {
    const ceiling = backoffCeilingMs({ attempt: this.#failures + 1, baseMs: 1_000, maxMs: minute })
    return ceiling * (0.5 + this.#parts.random() / 2)
  }
}
