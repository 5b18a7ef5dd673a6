import { expect } from 'vitest'

/** Asks until the claim holds, for as long as a busy machine may take: vitest.config.ts says how long that is. */
export function eventually<T>(probe: () => T | Promise<T>) {
  return expect.poll(probe)
}
