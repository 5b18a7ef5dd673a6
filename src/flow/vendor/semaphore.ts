/**
 * At most `limit` at a time; whoever came first goes first, what is urgent before what is not. A quarter is kept free
 * of what is not urgent, and as much is left to it while it waits, so that neither kind starves the other.
 */
export interface Semaphore {
  /** Answers a function that gives the place back, once; `null` when the signal or the time ended the wait. */
  take(signal: AbortSignal, terms?: WaitTerms): Promise<(() => void) | null>
  readonly taken: number
  readonly waiting: number
}

export interface WaitTerms {
  urgency?: Urgency
  /** For ever when left out. */
  waitMs?: number
}

export type Urgency = 'urgent' | 'ordinary'

export function createSemaphore(limit: number): Semaphore {
  const most = limit - Math.floor(limit / 4)
  const taken = { urgent: 0, ordinary: 0 }
  const queues = { urgent: new Set<() => void>(), ordinary: new Set<() => void>() }
  const fits = (kind: Urgency) => {
    if (taken.urgent + taken.ordinary >= limit) return false
    return taken[kind] < most || (kind === 'urgent' && queues.ordinary.size === 0)
  }
  const occupy = (kind: Urgency) => {
    taken[kind] += 1
    let held = true
    return () => {
      if (!held) return
      held = false
      taken[kind] -= 1
      if (fits('urgent') && callNext(queues.urgent)) return
      if (fits('ordinary')) callNext(queues.ordinary)
    }
  }
  const take = async (signal: AbortSignal, { urgency = 'urgent', waitMs }: WaitTerms = {}) => {
    if (signal.aborted) return null
    if (fits(urgency)) return occupy(urgency)
    return new Promise<(() => void) | null>((resolve) => {
      waitIn(queues[urgency], { signal, waitMs }, (turn) => resolve(turn ? occupy(urgency) : null))
    })
  }
  return {
    take,
    get taken() {
      return taken.urgent + taken.ordinary
    },
    get waiting() {
      return queues.urgent.size + queues.ordinary.size
    },
  }
}

function callNext(queue: Set<() => void>): boolean {
  const [first] = queue
  first?.()
  return first !== undefined
}

function waitIn(
  queue: Set<() => void>,
  { signal, waitMs }: { signal: AbortSignal; waitMs: number | undefined },
  done: (turn: boolean) => void,
): void {
  const leave = (turn: boolean) => {
    queue.delete(enter)
    signal.removeEventListener('abort', giveUp)
    clearTimeout(timer)
    done(turn)
  }
  const enter = () => leave(true)
  const giveUp = () => leave(false)
  const timer = waitMs === undefined ? undefined : setTimeout(giveUp, waitMs)
  queue.add(enter)
  signal.addEventListener('abort', giveUp, { once: true })
}
