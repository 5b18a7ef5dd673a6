import type { Parts } from '../../app.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import { type ChoreName, chores, type KeepTerms } from './chores.js'

/**
 * The room `housekeeping`: what nobody needs any more goes, by the clock. It runs in the role `poller`; in how many
 * processes makes no difference.
 */
export interface HousekeepingTerms extends KeepTerms {
  /** From one round of all chores to the next. */
  everyMs: number
  /** From the start of the process to its first round, with as much jitter. */
  firstAfterMs: number
  /** Most rows of one batch. */
  batch: number
}

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const usualTerms: Omit<HousekeepingTerms, 'personalDataMs' | 'staleMs'> = {
  everyMs: hour,
  firstAfterMs: minute,
  batch: 200,
  payloadsMs: 30 * day,
  vendorNudgesMs: hour,
  idempotencyKeysMs: day,
  callMinutesMs: 35 * day,
  releasedHoldsMs: 400 * day,
  auditMs: 400 * day,
}

export function startHousekeeping(parts: Parts, override: Partial<HousekeepingTerms> = {}): Loop {
  const { config, log, metrics, random } = parts
  const fromConfig = { personalDataMs: config.retentionDays * day, staleMs: config.orderStaleDays * day }
  const terms = { ...usualTerms, ...fromConfig, ...override }
  let isFirst = true
  return startLoop({
    name: 'housekeeping',
    everyMs: terms.everyMs,
    log,
    onFailure: (loop) => metrics.failures.inc({ loop }),
    turn: async (signal) => {
      if (isFirst) {
        isFirst = false
        return terms.firstAfterMs * (1 + random())
      }
      await doChores(parts, terms, signal)
      return terms.everyMs * (0.9 + random() / 10)
    },
  })
}

/** One that fails must not keep the others from being done, and is tried again in the next round. */
async function doChores(parts: Parts, terms: HousekeepingTerms, signal: AbortSignal): Promise<void> {
  for (const name of Object.keys(chores) as ChoreName[]) {
    if (signal.aborted) return
    try {
      await doChore(parts, terms, name, signal)
    } catch (failure) {
      parts.metrics.failures.inc({ loop: `housekeeping-${name}` })
      parts.log.error({ event: 'housekeeping.failed', chore: name, err: failure }, 'a chore failed')
    }
  }
}

async function doChore(
  { database, log, metrics }: Parts,
  terms: HousekeepingTerms,
  name: ChoreName,
  signal: AbortSignal,
): Promise<void> {
  let rows = 0
  for (;;) {
    const { due, done } = await chores[name]({ database, terms, batch: terms.batch })
    rows += done
    metrics.housekeeping.inc({ chore: name }, done)
    if (due < terms.batch || signal.aborted) break
  }
  if (rows > 0) log.info({ event: 'housekeeping.done', chore: name, rows }, 'housekeeping')
}
