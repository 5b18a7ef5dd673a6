/**
 * Hands over items in batches: what comes while a batch is under way goes with the next one, and with `gatherMs` what
 * comes within that time of the first. `atOnce` batches may be under way, but only full ones go beside another: a little
 * is gathered all the same. `add` settles with its item's batch.
 */
export interface Batcher<T> {
  add(item: T): Promise<void>
  /** Settles when nothing is under way any more. */
  idle(): Promise<void>
}

export function createBatcher<T>(
  most: number,
  hand: (batch: T[]) => Promise<void>,
  gatherMs = 0,
  atOnce = 1,
): Batcher<T> {
  type Waiting = { item: T; resolve: () => void; reject: (failure: unknown) => void }
  const queue: Waiting[] = []
  const runs = new Set<Promise<void>>()
  const isFull = () => queue.length >= most
  const run = async () => {
    while (isFull() || (queue.length > 0 && runs.size === 1)) {
      const batch = queue.splice(0, most)
      try {
        await hand(batch.map((each) => each.item))
        for (const { resolve } of batch) resolve()
      } catch (failure) {
        for (const { reject } of batch) reject(failure)
      }
    }
  }
  // The next turn of the event loop, so that what is answered together is written together.
  const gathered = () =>
    new Promise<void>((resolve) => {
      if (gatherMs > 0 && !isFull()) setTimeout(resolve, gatherMs)
      else setImmediate(resolve)
    })
  const start = () => {
    const started = gathered()
      .then(run)
      .finally(() => {
        runs.delete(started)
        if (queue.length > 0 && runs.size === 0) start()
      })
    runs.add(started)
  }
  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        queue.push({ item, resolve, reject })
        if (runs.size === 0 || (runs.size < atOnce && isFull())) start()
      }),
    idle: async () => {
      while (runs.size > 0) await Promise.all(runs)
    },
  }
}
