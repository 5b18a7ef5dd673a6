import { expect } from 'vitest'
import type { FaultName } from './catalogue.js'
import { Disk } from './disk.js'
import { inWords, storyInWords } from './in-words.js'
import { type Length, type Mode, planOf, short } from './plan.js'
import { run } from './run.js'
import { shrink } from './shrink.js'

/** What a busy machine may take, and a claim of a dead process lasts. */
const settleWithinMs = 120_000
const shrinkWithinMs = 60_000
export const longestShortRunMs = 60_000 + 2 * settleWithinMs + shrinkWithinMs + settleWithinMs

/** Lives a short plan through; fails with the seed and the shortest story that shows what is broken. */
export async function expectPromisesKept(seed: number, mode: Mode, length: Length = short): Promise<void> {
  const first = await run(planOf(seed, mode, length, { leaveOut: await leftOut() }), settleWithinMs)
  process.stdout.write(`${inWords(first)}\n`)
  if (first.broken.length > 0) expect.fail(storyInWords(first, await shrink(first, settleWithinMs, shrinkWithinMs)))
}

/** A half-open PostgreSQL takes half a minute to be given up: only the long form has it. */
async function leftOut(): Promise<FaultName[]> {
  const noDisk: FaultName[] = (await Disk.canMount()) ? [] : ['disk full']
  return ['postgres link silent', ...noDisk]
}

export function someSeed(): number {
  return Math.floor(Math.random() * 0x7fffffff)
}
