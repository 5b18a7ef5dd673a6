/** Everything that runs. Stopping twice is harmless. */
export interface Started {
  stop(): Promise<void>
}

/** Starts parts in order and stops them in reverse; a part that fails to start stops those before it. */
export class Lifetime implements Started {
  readonly #parts: Started[] = []
  #stopping: Promise<void> | undefined

  add<T extends Started>(part: T): T {
    this.#parts.push(part)
    return part
  }

  async start<T extends Started>(part: Promise<T>): Promise<T> {
    try {
      return this.add(await part)
    } catch (failure) {
      await this.stop()
      throw failure
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll()
    return this.#stopping
  }

  async #stopAll(): Promise<void> {
    const failures: unknown[] = []
    for (const part of this.#parts.toReversed()) {
      await part.stop().catch((failure: unknown) => failures.push(failure))
    }
    if (failures.length > 0) throw new AggregateError(failures, 'not everything stopped cleanly')
  }
}
