import type { KnownUse, RateWindow, Terms } from './limiter.js'

/*
 * A use is one number, `until`: a time in whole ms that is later than the call's arrival at the door. While the call
 * is in flight that is the end of its hold, after its answer the answer's time rounded up. It counts for a window
 * while `now < until + windowMs`; as `until` is strictly later than the arrival, a closed interval is safe too.
 */

/** After its timeout a call can still be in buffers on its way to the door, and its write came after the grant. */
const slackMs = 5_000

/** How long a call without an answer is taken to be on its way. */
export function holdMs(timeoutMs: number): number {
  return Math.ceil(timeoutMs) + slackMs
}

export function longestMs(windows: readonly RateWindow[]): number {
  return Math.max(0, ...windows.map((window) => window.windowMs))
}

/** `now` is whole ms, so the answer came before `now + 1 - elapsed`. */
export function untilAnswered(now: number, msAgo: number): number {
  return now + 1 - Math.floor(Math.max(0, msAgo))
}

export function untilUnanswered(now: number, timeoutMs: number): number {
  return now + holdMs(timeoutMs)
}

/** A known use as an offset of its `until` from now. */
export function offsetOf(use: KnownUse): number {
  return 'answeredMsAgo' in use ? untilAnswered(0, use.answeredMsAgo) : Math.ceil(Math.max(0, use.arrivesWithinMs)) + 1
}

/** How many slots are free at `now`, given the uses in ascending order. */
export function freeSlots(untils: readonly number[], windows: Terms['windows'], now: number): number {
  const free = windows.map(({ limit, windowMs }) => limit - untils.filter((until) => now < until + windowMs).length)
  return Math.max(0, Math.min(...free))
}

/**
 * The earliest moment, from now, at which the next slot can come free unless one goes back unused; 0 when one is free.
 * A window has room when the use that is `limit` from the end has left it. One in flight could be answered at once.
 */
export function nextFreeInMs(untils: readonly number[], windows: Terms['windows'], now: number): number {
  const waits = windows.map(({ limit, windowMs }) => {
    const until = untils[untils.length - limit]
    return until === undefined ? 0 : Math.min(until, untilAnswered(now, 0)) + windowMs - now
  })
  return Math.max(0, ...waits)
}
