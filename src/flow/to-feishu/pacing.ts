import type { RateWindow } from '../../platform/limiter/limiter.js'
import type { Aside } from './decide.js'

/** Of claims at once. */
export const mostAtOnce = 50
const fewestAtOnce = 4
/** Pause after Redis or PostgreSQL did not answer. */
export const notReadyMs = 1000
/** A hold keeps the bucket from being claimed again; this only ends the pump. */
const heldMs = 1000
/** Slots that come free close together are taken in one round trip. */
export const gatherMs = 25
/** Where latency varies, slots come back one at a time: wait longer and take several. */
export const gatherFewMs = 100
export const fewSlots = 10
/** Calls that were sent together are answered nearly so, and with them their slots come free. */
export const clusterMs = 5
/** After a long wait, claims are made this much before the slots are expected. */
const leadMs = 15
/** Claims are kept in hand this long while slots are about to come free, and then handed back. */
const inHandMs = 250

export interface SlotsWanting {
  /** Slots that the last turn got. */
  granted: number
  /** Until the next slot can come free. */
  retryInMs: number
  /** Since the claims that got no slot were made. */
  inHandForMs: number
}

/** What to do with claims that got no slot. Times in ms from now. */
export type Pace =
  | { kind: 'keep'; restMs: number }
  /** Due again at `dueInMs`; the next turn, after `restMs`, claims at most `claimSize`. */
  | { kind: 'hand_back'; dueInMs: number; restMs: number; claimSize: number }

/** Pure. Claims stay in hand for a short wait; for a long one they go back, and are claimed anew in time. */
export function paceWithoutSlots({ granted, retryInMs, inHandForMs }: SlotsWanting): Pace {
  const waitMs = waitForSlots(granted, retryInMs)
  if (inHandForMs + waitMs < inHandMs) return { kind: 'keep', restMs: waitMs }
  const long = waitMs > inHandMs
  const restMs = long ? waitMs - leadMs : waitMs
  const claimSize = long ? mostAtOnce : Math.max(fewestAtOnce, 2 * granted)
  return { kind: 'hand_back', dueInMs: Math.max(0, restMs - leadMs), restMs, claimSize }
}

function waitForSlots(granted: number, retryInMs: number): number {
  if (granted === 0) return retryInMs + clusterMs
  return Math.max(retryInMs, granted < fewSlots ? gatherFewMs : gatherMs)
}

/** Every claim got its slot. Until the window has room again, what would be claimed for it would only go back. */
export function restWhenFull(retryInMs: number): number {
  return Math.max(0, retryInMs - leadMs)
}

/** What handing back took counts as rest. */
export function restLeft(restMs: number, tookMs: number): number {
  return Math.max(1, restMs - tookMs)
}

/** How long an answer has the whole bucket rest. */
export function restAfter(aside: Aside): number {
  if (aside.kind === 'slow_down') return aside.resetMs
  return aside.kind === 'hold' ? heldMs : 0
}

/** Each call holds a slot, and the narrowest window has no more of them. */
export function mostInFlight(windows: readonly RateWindow[]): number {
  return Math.min(...windows.map((window) => window.limit))
}
