import { setTimeout as setTimeoutAsync } from 'node:timers/promises'
import { SealError } from '../../platform/crypto/sealer.js'
import type { Database } from '../../platform/database/database.js'
import { isOfValues } from '../../platform/database/of-values.js'
import type { Logger } from '../../platform/logger.js'
import { type SettledDelivery, settleDeliveries } from '../outbox/settle.js'
import type { OtherParts } from '../outbox/settle-other.js'
import type { Settlement } from '../outbox/settlement.js'

export interface SettlingOptions extends OtherParts {
  database: Database
  log: Logger
}

interface Written {
  settled: SettledDelivery[]
  buckets: number[]
}

const settleWithinMs = 15_000
const settleAgainMs = 250

/**
 * A delivery whose answer is lost while PostgreSQL is away would be sent again: retry while the claims hold. A row that
 * cannot be written becomes dead alone, for a person to judge; the rest of its batch settles.
 */
export async function settleThroughOutages(options: SettlingOptions, batch: readonly Settlement[]): Promise<Written> {
  const { log } = options
  const until = performance.now() + settleWithinMs
  for (;;) {
    try {
      return await settleDeliveries(options.database, batch, options)
    } catch (failure) {
      if (isOfRows(failure)) return settleApart(options, batch, failure)
      if (performance.now() > until) throw failure
      log.warn({ event: 'settle.again', deliveries: batch.length, err: failure }, 'settlements are tried again')
      await setTimeoutAsync(settleAgainMs)
    }
  }
}

/** Values that cannot be kept or opened, or a mistake of ours: the same again fails again. */
function isOfRows(failure: unknown): boolean {
  const isOurs = failure instanceof SealError || failure instanceof TypeError || failure instanceof SyntaxError
  return isOurs || isOfValues(failure)
}

async function settleApart(options: SettlingOptions, batch: readonly Settlement[], failure: unknown): Promise<Written> {
  const [first, second] = batch
  if (first === undefined) return { settled: [], buckets: [] }
  if (second === undefined) return settleAsDead(options, first, failure)
  const middle = Math.ceil(batch.length / 2)
  const before = await settleThroughOutages(options, batch.slice(0, middle))
  const after = await settleThroughOutages(options, batch.slice(middle))
  return { settled: [...before.settled, ...after.settled], buckets: [...before.buckets, ...after.buckets] }
}

/** Its room is not told: that may be what failed. */
async function settleAsDead(options: SettlingOptions, settlement: Settlement, failure: unknown): Promise<Written> {
  const { id, fence, lane, backgroundCheckId, callMsAgo, call } = settlement
  options.log.error({ event: 'settle.unwritable', delivery_id: id, err: failure }, 'an answer cannot be written down')
  const of = callMsAgo === null ? 'ours' : 'unconfirmed'
  const lastError = { class: of, reason: 'what became of it could not be written down' }
  const made = call === undefined ? {} : { call }
  const dead: Settlement = { to: 'dead', class: of, id, fence, lane, backgroundCheckId, callMsAgo, ...made, lastError }
  return settleDeliveries(options.database, [dead], { ...options, keepers: [] })
}
