/** At most `limit` at a time; whoever came first goes first. */
export interface Semaphore {
  /** Answers a function that gives the place back, once; `null` when the signal ended the wait. */
  take(signal: AbortSignal): Promise<(() => void) | null>
  readonly taken: number
  readonly waiting: number
}

export function createSemaphore(limit: number): Semaphore {
  let taken = 0
  const queue = new Set<() => void>()
  const occupy = () => {
    taken += 1
    let held = true
    return () => {
      if (!held) return
      held = false
      taken -= 1
      callNext(queue)
    }
  }
  const take = async (signal: AbortSignal) => {
    if (signal.aborted) return null
    if (taken < limit) return occupy()
    return new Promise<(() => void) | null>((resolve) => {
      waitIn(queue, signal, (turn) => resolve(turn ? occupy() : null))
    })
  }
  return {
    take,
    get taken() {
      return taken
    },
    get waiting() {
      return queue.size
    },
  }
}

function callNext(queue: Set<() => void>): void {
  const [first] = queue
  first?.()
}

function waitIn(queue: Set<() => void>, signal: AbortSignal, done: (turn: boolean) => void): void {
  const leave = (turn: boolean) => {
    queue.delete(enter)
    signal.removeEventListener('abort', stopped)
    done(turn)
  }
  const enter = () => leave(true)
  const stopped = () => leave(false)
  queue.add(enter)
  signal.addEventListener('abort', stopped, { once: true })
}
