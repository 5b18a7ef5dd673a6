import type { Sql } from '../../platform/database/database.js'
import type { Bucket } from '../outbox/buckets.js'
import { type Claim, claimHeads } from '../outbox/claim.js'
import type { EpochOf } from './epochs.js'

export interface HandOptions {
  sql: Sql
  claimMs: number
  /** Left out where no other process sends. */
  epochOf?: EpochOf
}

/** What a pump has claimed and not begun to send: new heads, or those that got no slot and wait a moment for one. */
export class Hand {
  readonly #bucket: Bucket
  readonly #options: HandOptions
  #held: readonly Claim[] = []
  #since = 0
  /** The epoch was read after these were claimed. */
  #sawEpoch = false
  #drained = false
  #tidings = 0

  constructor(bucket: Bucket, options: HandOptions) {
    this.#bucket = bucket
    this.#options = options
  }

  get held(): readonly Claim[] {
    return this.#held
  }

  /** When they were claimed, by `performance.now()`. */
  get since(): number {
    return this.#since
  }

  /** The last claim found all that was due; a hint, or what was not settled for good, says that there is more. */
  get drained(): boolean {
    return this.#drained
  }

  thereIsMore(): void {
    this.#tidings += 1
    this.#drained = false
  }

  /** Those in hand, or at most so many heads that are due. */
  async take(most: number): Promise<readonly Claim[]> {
    const held = this.#held
    this.#held = []
    if (held.length > 0) return held
    this.#since = performance.now()
    this.#sawEpoch = false
    const tidings = this.#tidings
    const claimed = await claimHeads(this.#options.sql, this.#bucket.id, most, this.#options.claimMs)
    this.#drained = claimed.length < most && tidings === this.#tidings
    return claimed
  }

  keep(left: readonly Claim[]): void {
    this.#held = left
  }

  /** Whether this process still owns the bucket, read after the claim. Takes over the epoch of its row. */
  async isOurs(): Promise<boolean> {
    const { epochOf } = this.#options
    if (epochOf === undefined || this.#sawEpoch) return true
    const epoch = await epochOf(this.#bucket.id)
    if (epoch === null) return false
    this.#bucket.epoch = epoch
    this.#sawEpoch = true
    return true
  }
}
