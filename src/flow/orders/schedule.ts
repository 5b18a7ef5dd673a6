/** When an order is asked for next: pure, times in ms, `random` from 0 to 1. */
export interface PollTerms {
  minMs: number
  maxMs: number
}

const growth = 1.5
const jitter = 0.1

/** The interval after a poll: back to the minimum on a change, else a step towards the maximum. */
export function nextInterval(intervalMs: number, changed: boolean, { minMs, maxMs }: PollTerms): number {
  if (changed) return minMs
  return Math.min(maxMs, Math.max(minMs, Math.round(intervalMs * growth)))
}

/** Spreads polls by a tenth, so that orders placed together do not stay together. */
export function withJitter(ms: number, random: number): number {
  return Math.round(ms * (1 - jitter + 2 * jitter * random))
}

/** Pause before a vendor call is tried again: exponential from a second to five minutes, full jitter above a half. */
export function vendorRetryMs(attempts: number, random: number): number {
  const ceiling = Math.min(300_000, 1000 * 2 ** Math.min(attempts, 16))
  return Math.round(ceiling * (0.5 + 0.5 * random))
}
