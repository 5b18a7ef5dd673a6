/** Everything that runs. Stopping twice is harmless. */
export interface Started {
  stop(): Promise<void>
}

/**
 * Starts parts in order and stops them in reverse; a part that fails to start stops those before it, and one that comes
 * up while all is being stopped is stopped as well.
 */
export class Lifetime implements Started {
  readonly #parts: Started[] = []
  #stopping: Promise<void> | undefined

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
    const failures: unknown[] = []
    for (const part of this.#parts.toReversed()) {
      try {
        await part.stop()
      } catch (failure) {
        failures.push(failure)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'not everything stopped cleanly')
  }
}
