import { setTimeout as sleep } from 'node:timers/promises'
import type { Started } from '../platform/lifetime.js'

/**
 * Whether this process is to be led requests: not before all of it is up, and no more when it stops. Between `leave` and
 * the end of the drain time its doors answer as before, each answer ends its connection, and /readyz says 503: whoever
 * leads requests here hears of it, by its next question, before nobody listens any more.
 */
export class Presence implements Started {
  readonly #leaving = new AbortController()
  #isUp = false
  #openUntil = 0

  /** Aborted when the process stops. */
  get leaving(): AbortSignal {
    return this.#leaving.signal
  }

  get phase(): 'starting' | 'up' | 'stopping' {
    if (this.leaving.aborted) return 'stopping'
    return this.#isUp ? 'up' : 'starting'
  }

  arrive(): void {
    this.#isUp = true
  }

  leave(drainMs: number): void {
    if (this.leaving.aborted) return
    this.#openUntil = performance.now() + drainMs
    this.#leaving.abort()
  }

  /** Settles when the doors may close. What works behind them has stopped meanwhile. */
  async stop(): Promise<void> {
    const leftMs = this.#openUntil - performance.now()
    if (leftMs > 0) await sleep(leftMs)
  }
}
