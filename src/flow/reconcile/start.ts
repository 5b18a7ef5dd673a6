import type { Parts } from '../../app.js'
import type { Started } from '../../platform/lifetime.js'
import { wakePumps } from '../to-feishu/wake-pumps.js'
import type { SettledOrder } from './settle-order.js'
import { startSweeper } from './sweeper.js'
import { type SweepTerms, usualTerms } from './terms.js'

/** Puts the room together: the sweeper, and the hints for what it gave to others. */
export function startReconciliation(parts: Parts, terms: Partial<SweepTerms> = {}): Started {
  const { config, database, sealer, keepers, log, hints, metrics, random, reads } = parts
  return startSweeper({
    database,
    sealer,
    keepers,
    log,
    reads,
    random,
    apps: config.feishu.apps.map((app) => app.appId),
    timeoutMs: config.feishu.timeoutMs,
    terms: { ...usualTerms, ...terms },
    onSettled: ({ buckets, tellVendor, repaired, noted }: SettledOrder) => {
      wakePumps(hints, buckets)
      if (tellVendor) hints.send('vendor')
      for (const kind of repaired) metrics.findings.inc({ kind, result: 'repaired' })
      for (const kind of noted) metrics.findings.inc({ kind, result: 'listed' })
    },
    onTurn: (outcome) => metrics.sweepTurns.inc({ outcome }),
    onFailure: (loop) => metrics.failures.inc({ loop }),
  })
}
