import { setTimeout as sleep } from 'node:timers/promises'
import { claimForBatches } from '../../src/flow/orders/poll.js'
import { createPollClaim } from '../../src/flow/orders/poll-claim.js'
import { settleUnchanged } from '../../src/flow/orders/poll-settle.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { openDatabase } from '../../src/platform/database/database.js'
import { createLogger } from '../../src/platform/logger.js'
import { answerQuestions } from '../support/answer.js'
import { mostPerClaim } from './settings.js'

/*
 * What the poller does beside asking the vendor, for orders that did not change: claim, and schedule the next poll. As the
 * poller does, it claims while what it claimed before is settled.
 */

export interface Cycles {
  /** Ends when the first of both is over. */
  forMs: number
  cycles: number
  intervalMs: number
}

export interface Cycled {
  cycles: number
  seconds: number
  cpuMs: number
  /** Nothing was due for a while. */
  foundNothing: boolean
}

const log = createLogger('silent')
const database = openDatabase({ url: process.env.DATABASE_URL ?? '', log, connections: 2 })
const sealer = createSealer([{ id: 'k1', key: Buffer.alloc(32, 7) }])
const claim = createPollClaim(database)
const idleMs = 20
const batches = claimForBatches(mostPerClaim, { leaseMs: 60_000 })

async function run({ forMs, cycles, intervalMs }: Cycles): Promise<Cycled> {
  const terms = { minMs: intervalMs, maxMs: intervalMs }
  const before = process.cpuUsage()
  const startedAt = performance.now()
  let done = 0
  let foundNothing = false
  let settled = Promise.resolve()
  while (done < cycles && performance.now() < startedAt + forMs) {
    const { rows } = await claim(batches)
    await settled
    if (rows.length === 0) {
      foundNothing = true
      await sleep(idleMs)
      continue
    }
    settled = settleUnchanged({ database, sealer, log, terms, onReady: () => undefined }, rows)
    done += rows.length
  }
  await settled
  const { user, system } = process.cpuUsage(before)
  return { cycles: done, seconds: (performance.now() - startedAt) / 1000, cpuMs: (user + system) / 1000, foundNothing }
}

answerQuestions({ run }, () => database.stop())
