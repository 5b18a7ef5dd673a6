import type { Parts } from '../../app.js'
import { createKeepers } from '../../flow/keepers.js'
import { createMetrics } from '../../operate/metrics.js'
import { memoryLimiter } from '../../platform/limiter/memory.js'
import { createLogger } from '../../platform/logger.js'
import type { CommandParts } from '../with-database.js'

/**
 * What the operations of /v1 need, in a process that only writes rows: those that run find them within two seconds, so
 * nobody is woken. Nothing here asks Feishu.
 */
export function createOperatorParts({ database, sealer, config }: CommandParts): Parts {
  const refuse = () => Promise.reject(new Error('the command line asks Feishu nothing'))
  return {
    config,
    database,
    sealer,
    log: createLogger('silent'),
    hints: { send: () => undefined, listen: () => undefined, stop: async () => undefined },
    limiter: memoryLimiter(),
    metrics: createMetrics(),
    keepers: createKeepers(sealer),
    reads: { ask: refuse, askWith: refuse },
    random: Math.random,
    lookAfterMs: [],
  }
}
