import { nextInterval, withJitter } from '../../src/flow/orders/schedule.js'
import { pollMinMs, type Span, type Way } from './settings.js'

const maxMs = 1_800_000

/** How long a stage waits for the next look at it when that look and all after it take no time: many draws, in ms. */
export function expectedWaits(way: Way, stageAfterMs: Span, draws = 20_000): number[] {
  if (way === 'nudge') return [0]
  return Array.from({ length: draws }, () => (way === 'feed' ? Math.random() * pollMinMs : waitForPoll(stageAfterMs)))
}

/** Placed at 0 and polled at once, then at intervals that grow while nothing changes. */
function waitForPoll([least, most]: Span): number {
  const stageAt = least + (most - least) * Math.random()
  let [pollAt, intervalMs] = [0, pollMinMs]
  while (pollAt < stageAt) {
    pollAt += withJitter(intervalMs, Math.random())
    intervalMs = nextInterval(intervalMs, false, { minMs: pollMinMs, maxMs })
  }
  return pollAt - stageAt
}
