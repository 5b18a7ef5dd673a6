/** Everything that runs. Stopping twice is harmless. */
export interface Started {
  stop(): Promise<void>
}

/**
 * Starts parts in order and stops them in reverse; a part that fails to start stops those before it, and one that comes
 * up while all is being stopped is stopped as well. `at once`: parts that do not need one another are all told to stop
 * before any has ended, so that none begins something new while another's calls come to their end.
 */
export class Lifetime implements Started {
  readonly #stops: 'in reverse' | 'at once'
  readonly #parts: Started[] = []
  #stopping: Promise<void> | undefined

  constructor(stops: 'in reverse' | 'at once' = 'in reverse') {
    this.#stops = stops
  }

  add<T extends Started>(part: T): T {
    this.#parts.push(part)
    return part
  }

  async start<T extends Started>(part: Promise<T>): Promise<T> {
    try {
      const started = await part
      if (this.#stopping === undefined) return this.add(started)
      await started.stop()
    } catch (failure) {
      await this.stop()
      throw failure
    }
    throw new Error('stopped while it was starting')
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll()
    return this.#stopping
  }

  async #stopAll(): Promise<void> {
    const failures =
      this.#stops === 'at once' ? await failuresAtOnce(this.#parts) : await failuresInReverse(this.#parts)
    if (failures.length > 0) throw new AggregateError(failures, 'not everything stopped cleanly')
  }
}

async function failuresInReverse(parts: readonly Started[]): Promise<unknown[]> {
  const failures: unknown[] = []
  for (const part of parts.toReversed()) {
    try {
      await part.stop()
    } catch (failure) {
      failures.push(failure)
    }
  }
  return failures
}

async function failuresAtOnce(parts: readonly Started[]): Promise<unknown[]> {
  const ends = await Promise.allSettled(parts.map((part) => part.stop()))
  return ends.filter((end) => end.status === 'rejected').map((end): unknown => end.reason)
}
