/** Counts wrong keys by address. It forgets those it heard of longest ago, a tenth at once, before it grows beyond its bound. */
export interface KeyFailures {
  /** How long, in ms, wrong keys from there are answered with 429; 0 while they are not. */
  waitOf(address: string): number
  note(address: string): void
}

export interface FailureLimit {
  /** So many within the time are too many. */
  most: number
  withinMs: number
  addresses: number
}

export const usualLimit: FailureLimit = { most: 10, withinMs: 60_000, addresses: 10_000 }

export function createKeyFailures(limit: FailureLimit, now = () => performance.now()): KeyFailures {
  // In the order of their last failure.
  const times = new Map<string, readonly number[]>()
  const recent = (address: string) => (times.get(address) ?? []).filter((at) => now() - at < limit.withinMs)
  return {
    waitOf: (address) => {
      const failed = recent(address)
      const oldest = failed.at(-limit.most)
      return oldest === undefined ? 0 : oldest + limit.withinMs - now()
    },
    note: (address) => {
      const failed = [...recent(address), now()].slice(-limit.most)
      times.delete(address)
      times.set(address, failed)
      if (times.size > limit.addresses) forgetOldest(times, Math.max(1, Math.floor(limit.addresses / 10)))
    },
  }
}

/** Many at once: whoever looks for the oldest walks over the gaps that all deleted before it left behind. */
function forgetOldest(times: Map<string, unknown>, count: number): void {
  let left = count
  for (const oldest of times.keys()) {
    if (left === 0) return
    times.delete(oldest)
    left -= 1
  }
}
