/** Lets at most `limit` tasks run at once; the others wait in the order in which they came. */
export class Turns {
  #limit: number
  #running = 0
  #waiting: Array<() => void> = []

  constructor(limit: number) {
    this.#limit = limit
  }

  async take<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#running++
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}
