/**
 * Keeps every bucket (app × tenant × API method) inside Feishu's windows, counted at Feishu's door. The pump calls it.
 *
 * A call arrives somewhere between its sending and its answer. So a slot is taken when the call is sent and comes free
 * one window after the answer: for every window, `in flight + answered within the window <= limit`. Say calls arrive in
 * a closed interval [t, t + window], and look at the one granted last, at g <= t + window. Every other one was answered
 * at t or later, so at g it was still in flight or answered within the window, and was counted. Latency cannot bunch up
 * more than `limit` calls.
 *
 * Caller's order, which makes a rebuild complete: 1. a row says that the call may be under way, 2. `take`,
 * 3. `isFresh` right before the write, 4. the answer, 5. `giveBack`.
 */
export interface Limiter {
  /**
   * Takes a slot for each name, first come first served, as far as there is room. A name stands for one call that the
   * caller's rows know (say, delivery and attempt); a retry has another name.
   */
  take(bucket: string, names: readonly string[], terms: Terms): Promise<Grant>
  /**
   * Gives slots back, of any buckets, in one round trip. A call without an answer is not given back: it is taken to
   * arrive at the latest at `timeoutMs` + 5 s after the grant and counts for one window from then on. A slot that the
   * bucket does not know (any more) counts from its answer all the same. When this fails, the slots expire.
   */
  giveBack(returns: readonly SlotReturn[]): Promise<void>
  /** Closes a bucket for all processes, for `ms`. Never shortens a longer closure. A lost bucket forgets it. */
  close(bucket: string, ms: number): Promise<void>
  /**
   * Opens a lost bucket under `terms.epoch` with the uses that the rows know, read after `take` answered `lost`.
   * False: another caller was faster, or it was lost again; read the epoch and take again.
   */
  rebuild(bucket: string, lost: Lost, uses: readonly KnownUse[], terms: Terms): Promise<boolean>
}

export interface RateWindow {
  limit: number
  windowMs: number
}

export interface Terms {
  /** They hold together. */
  windows: readonly RateWindow[]
  /** After this time the caller has closed the socket, so that nothing arrives later. */
  timeoutMs: number
  /** As the bucket's row says it; every rebuild has a new one. */
  epoch: string
}

export type Grant = Granted | { kind: 'wait'; retryInMs: number } | Lost

/** Slots for the first names. `retryInMs` when no slot is left: no further one comes free before. */
export interface Granted {
  kind: 'granted'
  slots: Slot[]
  retryInMs?: number
}

/**
 * The bucket does not know what was sent: it is missing, of another epoch, or of another life of the store. Read the
 * epoch's row; if it differs from the epoch just used, take again. Else write a new epoch over exactly that one, read
 * what was claimed or answered within the longest window and hold, and `rebuild` with this ticket. Every attempt counts,
 * also earlier ones of a delivery that was retried; those claimed for this very `take` were not sent and are left out.
 */
export interface Lost {
  kind: 'lost'
  ticket: string
}

export interface Slot {
  bucket: string
  name: string
  /** Tells apart two grants under one name. */
  turn: string
  /** `performance.now()` before the slot was asked for, so never later than the grant. */
  askedAt: number
}

export type SlotReturn = { slot: Slot; used: false } | { slot: Slot; used: true; answeredMsAgo: number }

/** A use by its name in `take`. `arrivesWithinMs`: how long from now the call could still arrive at the door. */
export type KnownUse = { name: string; answeredMsAgo: number } | { name: string; arrivesWithinMs: number }

const freshForMs = 250

/** Whether a call may still be written on this slot; `now` is `performance.now()`. If not, give it back unused. */
export function isFresh(slot: Slot, now: number): boolean {
  return now - slot.askedAt <= freshForMs
}
