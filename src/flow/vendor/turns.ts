import { setTimeout } from 'node:timers/promises'
import { isFresh, type Slot } from '../../platform/limiter/limiter.js'
import type { VendorCall, VendorFailure } from './adapter.js'
import type { Breaker } from './breaker.js'
import type { Semaphore, Urgency } from './semaphore.js'
import type { VendorWindows } from './windows.js'

/** What has to be free before the vendor is called: a place in this process, and the vendor's windows. */
export interface Turns {
  breaker: Breaker
  places: Semaphore
  windows: VendorWindows
  /** A call that waits for longer is held: its claim would not outlive it. */
  waitMs: number
}

/** A call's turn, from before it is made until it ends. */
export interface Turn {
  /** For a further request of the same verb; the one before has its answer. `null`: go on. */
  again(): Promise<VendorFailure | null>
  end(used: boolean): Promise<void>
}

export type HeldFailure = VendorFailure & { kind: 'retry' }

/** Waits for a turn, urgent calls first. The breaker is asked last, so that a probe is on its way once it is admitted. */
export async function waitForTurn(turns: Turns, call: VendorCall, urgency: Urgency): Promise<Turn | HeldFailure> {
  const until = performance.now() + turns.waitMs
  for (;;) {
    const waitMs = Math.max(0, until - performance.now())
    const leave = await turns.places.take(call.signal, { urgency, waitMs })
    if (leave === null) return call.signal.aborted ? stopping : held('too many calls wait', busyAgainMs)
    const next = await tryTurn(turns, call, urgency, leave).catch((failure: unknown) => {
      leave()
      throw failure
    })
    if (!('retryInMs' in next)) return next
    leave()
    if (performance.now() + next.retryInMs > until) return held('its windows are full', next.retryInMs)
    await sleep(next.retryInMs, call.signal)
  }
}

async function tryTurn(
  turns: Turns,
  call: VendorCall,
  urgency: Urgency,
  leave: () => void,
): Promise<Turn | HeldFailure | { retryInMs: number }> {
  const refuse = async (failure: HeldFailure, slot: Slot | null = null) => {
    if (slot !== null) await turns.windows.giveBack(slot, false)
    leave()
    return failure
  }
  const seen = turns.breaker.peek()
  if (!seen.admitted) return refuse(heldBy(turns.breaker, seen.retryInMs))
  const taken = await turns.windows.take(urgency)
  if ('retryInMs' in taken) return taken
  if (call.stillWanted && !(await call.stillWanted())) return refuse(held('its claim is over', 0), taken.slot)
  if (taken.slot !== null && !isFresh(taken.slot, performance.now())) {
    await turns.windows.giveBack(taken.slot, false)
    return { retryInMs: staleAgainMs }
  }
  const admission = turns.breaker.admit()
  if (!admission.admitted) return refuse(heldBy(turns.breaker, admission.retryInMs), taken.slot)
  return openTurn(turns, call, urgency, taken.slot, leave)
}

function openTurn(turns: Turns, call: VendorCall, urgency: Urgency, first: Slot | null, leave: () => void): Turn {
  let slot = first
  const giveBack = async (used: boolean) => {
    const back = slot
    slot = null
    if (back !== null) await turns.windows.giveBack(back, used)
  }
  const again = async (): Promise<VendorFailure | null> => {
    await giveBack(true)
    const until = performance.now() + turns.waitMs
    for (;;) {
      const taken = await turns.windows.take(urgency)
      if (!('retryInMs' in taken)) {
        slot = taken.slot
        if (slot === null || isFresh(slot, performance.now())) return null
        await giveBack(false)
      }
      const retryInMs = 'retryInMs' in taken ? taken.retryInMs : staleAgainMs
      if (call.signal.aborted) return stopping
      if (performance.now() + retryInMs > until) return held('its windows are full', retryInMs)
      await sleep(retryInMs, call.signal)
    }
  }
  const end = async (used: boolean) => {
    // The place is free at once: only the count of the windows waits for the store.
    leave()
    await giveBack(used)
  }
  return { again, end }
}

const busyAgainMs = 1000
/** After a slot that came too late to be used. */
const staleAgainMs = 1
const stopping = held('the process is stopping')

function heldBy(breaker: Breaker, retryAfterMs: number): HeldFailure {
  const { lastError } = breaker.look()
  return held(lastError ?? 'it failed too often', retryAfterMs)
}

function held(reason: string, retryAfterMs?: number): HeldFailure {
  return {
    kind: 'retry',
    message: `the vendor is not being called: ${reason}`,
    ambiguous: false,
    held: true,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  // A stop ends the wait; what it means is asked right after.
  await setTimeout(ms, undefined, { signal }).catch(() => undefined)
}
