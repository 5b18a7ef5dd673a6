import { expect } from 'vitest'
import type { FaultName } from './catalogue.js'
import { inWords, storyInWords } from './in-words.js'
import { type Length, type Mode, planOf, short } from './plan.js'
import { run } from './run.js'
import { shrink } from './shrink.js'

/** What a busy machine may take, and a claim of a dead process lasts. */
const settleWithinMs = 120_000
const shrinkWithinMs = 60_000
export const longestShortRunMs = 60_000 + 2 * settleWithinMs + shrinkWithinMs + settleWithinMs

/** A half-open PostgreSQL takes half a minute to be given up: only the long form has it. A full disk has a test of its own. */
const leaveOut: FaultName[] = ['postgres link silent', 'disk full']

/** Lives a short plan through; fails with the seed and the shortest story that shows what is broken. */
export async function expectPromisesKept(
  seed: number,
  mode: Mode,
  length: Length = short,
  only?: readonly FaultName[],
): Promise<void> {
  const first = await run(planOf(seed, mode, length, only ? { only } : { leaveOut }), settleWithinMs)
  process.stdout.write(`${inWords(first)}\n`)
  if (first.broken.length > 0) expect.fail(storyInWords(first, await shrink(first, settleWithinMs, shrinkWithinMs)))
}

export function someSeed(): number {
  return Math.floor(Math.random() * 0x7fffffff)
}

/** Set by `npm run faults`, which leaves nothing out. */
export function isLongForm(): boolean {
  return process.env['FAULTS_FORM'] === 'long'
}
