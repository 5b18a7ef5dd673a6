/** At most `limit` arrivals in any `windowMs` that slide. */
export type RateLimit = { limit: number; windowMs: number }
export type WorstWindow = RateLimit & { bucket: string; worst: number }

/** Counts every arrival at the door, refused ones too; an arrival leaves a window exactly `windowMs` later. */
class SlidingWindow {
  readonly limit: number
  readonly windowMs: number
  worst = 0
  #arrivals: number[] = []
  #first = 0

  constructor({ limit, windowMs }: RateLimit) {
    this.limit = limit
    this.windowMs = windowMs
  }

  arrive(at: number): number {
    this.#arrivals.push(at)
    while (this.#at(this.#first) <= at - this.windowMs) this.#first++
    this.#compact()
    const count = this.#arrivals.length - this.#first
    this.worst = Math.max(this.worst, count)
    return count
  }

  /** When the next arrival would fit, as milliseconds from `at`. */
  msUntilRoom(at: number): number {
    const inside = this.#arrivals.length - this.#first
    if (inside < this.limit) return 0
    return this.#at(this.#first + inside - this.limit) + this.windowMs - at
  }

  #at(index: number): number {
    return this.#arrivals[index] ?? Number.POSITIVE_INFINITY
  }

  #compact(): void {
    if (this.#first < 4096) return
    this.#arrivals = this.#arrivals.slice(this.#first)
    this.#first = 0
  }
}

export type Arrival = { over: false } | { over: true; limit: number; windowMs: number; resetMs: number }

/** All windows of all buckets; a bucket is made by its first arrival. */
export class Windows {
  #buckets = new Map<string, SlidingWindow[]>()

  arrive(bucket: string, limits: readonly RateLimit[], at: number): Arrival {
    const windows = this.#windowsOf(bucket, limits)
    const exceeded = windows.filter((window) => window.arrive(at) > window.limit)
    const tightest = exceeded.sort((a, b) => b.msUntilRoom(at) - a.msUntilRoom(at))[0]
    if (!tightest) return { over: false }
    return { over: true, limit: tightest.limit, windowMs: tightest.windowMs, resetMs: tightest.msUntilRoom(at) }
  }

  worst(): WorstWindow[] {
    return [...this.#buckets].flatMap(([bucket, windows]) =>
      windows.map(({ limit, windowMs, worst }) => ({ bucket, limit, windowMs, worst })),
    )
  }

  #windowsOf(bucket: string, limits: readonly RateLimit[]): SlidingWindow[] {
    const known = this.#buckets.get(bucket)
    if (known) return known
    const made = limits.map((limit) => new SlidingWindow(limit))
    this.#buckets.set(bucket, made)
    return made
  }
}

/** The largest number of `arrivals` that any window of `windowMs` holds, wherever it begins. */
export function worstCount(arrivals: readonly number[], windowMs: number): number {
  const sorted = [...arrivals].sort((a, b) => a - b)
  let first = 0
  let worst = 0
  for (const [index, at] of sorted.entries()) {
    while ((sorted[first] ?? at) <= at - windowMs) first++
    worst = Math.max(worst, index - first + 1)
  }
  return worst
}
