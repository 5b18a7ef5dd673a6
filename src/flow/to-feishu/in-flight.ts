import type { Logger } from '../../platform/logger.js'
import type { Bucket } from '../outbox/buckets.js'
import type { Claim } from '../outbox/claim.js'
import { bucketIds } from './log-ids.js'

/** The attempts and looks of a pump that have begun and not ended; `onEnd` is called after each. */
export class InFlight {
  readonly #bucket: Bucket
  readonly #log: Logger
  readonly #onEnd: () => void
  readonly #works = new Set<Promise<void>>()

  constructor(bucket: Bucket, log: Logger, onEnd: () => void) {
    this.#bucket = bucket
    this.#log = log
    this.#onEnd = onEnd
  }

  get size(): number {
    return this.#works.size
  }

  add(claim: Claim, begun: Promise<void>): void {
    const work = begun
      .catch((failure: unknown) => {
        // The claim ends by the clock, and its call counts as one whose outcome is not known.
        this.#log.error(
          { event: 'feishu.attempt_crashed', ...bucketIds(this.#bucket), delivery_id: claim.id, err: failure },
          'an attempt crashed',
        )
      })
      .finally(() => {
        this.#works.delete(work)
        this.#onEnd()
      })
    this.#works.add(work)
  }

  async allEnded(): Promise<void> {
    await Promise.all(this.#works)
  }
}
