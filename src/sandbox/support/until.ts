import { sleep } from './clock.js'

export type UntilOptions = { timeoutMs?: number; everyMs?: number }

/** Waits until `probe` gives something other than undefined, null or false; names `what` when it never does. */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  { timeoutMs = 10_000, everyMs = 5 }: UntilOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const seen = await probe()
    if (isThere(seen)) return seen
    if (Date.now() >= deadline) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`)
    await sleep(everyMs)
  }
}

function isThere<T>(value: T): value is Exclude<T, undefined | null | false> {
  return value !== undefined && value !== null && value !== false
}
