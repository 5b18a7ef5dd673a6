/**
 * Hands over items in batches: what comes while a batch is under way goes with the next one, and with `gatherMs` what
 * comes within that time of the first. `add` settles with its item's batch.
 */
export interface Batcher<T> {
  add(item: T): Promise<void>
  /** Settles when nothing is under way any more. */
  idle(): Promise<void>
}

export function createBatcher<T>(most: number, hand: (batch: T[]) => Promise<void>, gatherMs = 0): Batcher<T> {
  type Waiting = { item: T; resolve: () => void; reject: (failure: unknown) => void }
  const queue: Waiting[] = []
  let running: Promise<void> | undefined
  const run = async () => {
    while (queue.length > 0) {
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
  const start = () =>
    new Promise<void>((resolve) => {
      if (gatherMs > 0) setTimeout(resolve, gatherMs)
      else setImmediate(resolve)
    })
      .then(run)
      .finally(() => {
        running = queue.length > 0 ? start() : undefined
      })
  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        queue.push({ item, resolve, reject })
        running ??= start()
      }),
    idle: async () => {
      while (running !== undefined) await running
    },
  }
}
