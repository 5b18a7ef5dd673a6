/**
 * How many calls this process may have under way to one host. It bounds sockets and memory, and keeps the event loop
 * so short of work that a slot is still fresh when its call is written: so a place comes before the slot. First come,
 * first served, each with all that it asked for. A call that takes long leaves its place to others: a few tenants whose
 * calls hang must not hold up the rest.
 */
export interface Places {
  /** Answers how many it got: what was asked for, or all that there are if that is less. */
  take(count: number): Promise<number>
  /** Begins a call on a place that was taken; answers what ends it. */
  begin(): () => void
  /** Places that were taken for nothing. */
  giveBack(count: number): void
}

export interface PlacesTerms {
  most: number
  /** Calls that left their place, at most. */
  mostSlow: number
  /** A call that is under way for so long leaves its place. */
  slowAfterMs: number
}

export function createPlaces({ most, mostSlow, slowAfterMs }: PlacesTerms): Places {
  const waiting: Array<{ count: number; got: (count: number) => void }> = []
  let free = most
  let slow = 0
  const serve = () => {
    for (let first = waiting[0]; first !== undefined && first.count <= free; first = waiting[0]) {
      waiting.shift()
      free -= first.count
      first.got(first.count)
    }
  }
  const giveBack = (count: number) => {
    free += count
    serve()
  }
  const begin = () => {
    let left = false
    const timer = setTimeout(() => {
      if (slow >= mostSlow) return
      left = true
      slow += 1
      giveBack(1)
    }, slowAfterMs)
    return () => {
      clearTimeout(timer)
      if (left) slow -= 1
      else giveBack(1)
    }
  }
  return {
    take: (wanted) =>
      new Promise((got) => {
        waiting.push({ count: Math.min(wanted, most), got })
        serve()
      }),
    begin,
    giveBack,
  }
}
