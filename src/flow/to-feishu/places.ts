/**
 * How many calls this process may have under way to one host. It bounds sockets and memory, and keeps the event loop
 * so short of work that a slot is still fresh when its call is written: so a place comes before the slot. First come,
 * first served, each with all that it asked for.
 */
export interface Places {
  /** Answers how many it got: what was asked for, or all that there are if that is less. */
  take(count: number): Promise<number>
  giveBack(count: number): void
}

export function createPlaces(most: number): Places {
  const waiting: Array<{ count: number; got: (count: number) => void }> = []
  let free = most
  const serve = () => {
    for (let first = waiting[0]; first !== undefined && first.count <= free; first = waiting[0]) {
      waiting.shift()
      free -= first.count
      first.got(first.count)
    }
  }
  return {
    take: (wanted) =>
      new Promise((got) => {
        waiting.push({ count: Math.min(wanted, most), got })
        serve()
      }),
    giveBack: (count) => {
      free += count
      serve()
    },
  }
}
