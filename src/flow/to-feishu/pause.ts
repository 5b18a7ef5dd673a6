/** The waiting of a pump between two turns, which an answer or a hint may end. */
export class Pause {
  readonly #stopped: AbortSignal
  #woken = false
  #end: (() => void) | undefined

  constructor(stopped: AbortSignal) {
    this.#stopped = stopped
  }

  /** Since `beginTurn`. */
  get woken(): boolean {
    return this.#woken
  }

  beginTurn(): void {
    this.#woken = false
  }

  wake(): void {
    this.#woken = true
    this.#end?.()
  }

  /** So many ms, for slots: only a stop ends it before; or, with `null`, until `wake`, at once if it was called in this turn. */
  for(ms: number | null): Promise<void> {
    if (ms === 0 || (ms === null && this.#woken) || this.#stopped.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(resolve, ms)
      this.#end = () => {
        // While slots are awaited, answers and hints bring none.
        if (ms !== null && !this.#stopped.aborted) return
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
