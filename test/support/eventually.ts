import { expect } from 'vitest'

/** Asks until the claim holds, for as long as a busy machine may take. */
export function eventually<T>(probe: () => T | Promise<T>) {
  return expect.poll(probe, { timeout: 20_000, interval: 10 })
}
