import { describeForeignError, type Logger } from '../../platform/logger.js'

/** Why an event was not taken, so that Feishu has to send it again. */
export type Unavailable =
  | { reason: 'failed'; failure: unknown }
  /** `full`: too many wait already. `late`: PostgreSQL did not come to it in time. */
  | { reason: 'full' | 'late' }

const everyMs = 60_000

/**
 * One line a minute for each reason, and for each code or name of what failed. The message is left out: that of a mistake
 * of ours may quote what came.
 */
export function createUnavailableWarning(log: Logger, now = () => performance.now()) {
  const warnedAt = new Map<string, number>()
  return (unavailable: Unavailable): void => {
    const { reason } = unavailable
    const thrown = reason === 'failed' ? describeForeignError(unavailable.failure) : undefined
    const kind = `${reason} ${String(thrown?.['code'] ?? thrown?.['name'])}`
    if (now() - (warnedAt.get(kind) ?? Number.NEGATIVE_INFINITY) < everyMs) return
    warnedAt.set(kind, now())
    const line = { event: 'inbox.unavailable', reason, ...(thrown && { thrown }) }
    log.warn(line, 'events cannot be kept and are answered 503')
  }
}
