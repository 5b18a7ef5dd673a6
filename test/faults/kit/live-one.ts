import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from './catalogue.js'
import type { PlannedFault } from './plan.js'

/** One fault as it was. Times are ms since 1970. */
export interface LivedFault {
  name: string
  from: number
  to: number
  bites: number
  losesAnswers: boolean
}

/** For as long as it is planned, and until somebody felt it; `feltWithinMs` after its beginning it ends in any case. */
export async function liveOne(
  fault: Fault,
  { name, lastsMs }: Pick<PlannedFault, 'name' | 'lastsMs'>,
  feltWithinMs: number,
): Promise<LivedFault> {
  const from = Date.now()
  await fault.begin()
  const until = performance.now() + lastsMs
  const late = performance.now() + Math.max(lastsMs, feltWithinMs)
  let bites = 0
  while (performance.now() < until || (bites === 0 && performance.now() < late)) {
    await sleep(50)
    bites = await fault.bites()
  }
  await fault.end()
  // A process that was killed is felt when the next one starts.
  if (bites === 0) bites = await fault.bites()
  return { name, from, to: Date.now(), bites, losesAnswers: fault.losesAnswers }
}
