import { createBatcher } from '../../platform/batcher.js'
import type { Database } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { type CountedCall, countCalls } from '../outbox/call-minutes.js'
import type { ReadsOptions } from './reads.js'

export type ReadOutcome = 'answered' | 'refused' | 'limited' | 'lost'

export interface ReadCallsOptions {
  database: Pick<Database, 'pool'>
  log: Logger
  onRead?: (api: string, outcome: ReadOutcome) => void
}

const most = 200
const gatherMs = 250

/** Writes the calls of reads to the table of calls per minute, soon and together; nothing waits for it. */
export function countReads({ database, log, onRead }: ReadCallsOptions) {
  const calls = createBatcher<CountedCall>(most, (batch) => countCalls(database.pool, batch), gatherMs)
  const count: NonNullable<ReadsOptions['onCall']> = (call, reply) => {
    const outcome = outcomeOf(call, reply.kind)
    onRead?.(call.api, outcome)
    const { appId: app_id, tenantKey: tenant_key, api } = call
    const code = reply.kind === 'answer' ? { code: reply.code } : {}
    log.debug({ event: 'feishu.read', app_id, tenant_key, api, outcome, ...code }, 'Feishu was asked')
    calls.add(call).catch((failure: unknown) => {
      // A chart lacks a call; what was read is worth more.
      log.debug({ event: 'reads.not_counted', err: failure }, 'a call was not counted')
    })
  }
  return { count, idle: () => calls.idle() }
}

function outcomeOf({ delivered, limited }: CountedCall, kind: string): ReadOutcome {
  if (delivered) return 'answered'
  if (limited) return 'limited'
  return kind === 'answer' ? 'refused' : 'lost'
}
