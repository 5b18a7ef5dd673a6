import { setTimeout as sleep } from 'node:timers/promises'

/** Asks until it holds; throws when that takes too long. */
export async function until(what: string, holds: () => Promise<boolean>, withinMs: number, everyMs = 100) {
  const end = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${withinMs} ms`)
    await sleep(everyMs)
  }
}
