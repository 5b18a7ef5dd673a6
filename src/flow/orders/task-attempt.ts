import type { Sql } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import type { VendorAnswer, VendorFailure } from '../vendor/adapter.js'
import { vendorRetryMs } from './schedule.js'
import { retryTask, type VendorTask } from './tasks.js'

/** What all tasks do alike with an answer of the vendor: whether and when it is asked again, and the line of the log. */

/** A vendor that does not take an order for so long will not take it: a person has to look. */
const giveUpAfterMs = 72 * 3_600_000
/** A configuration that was mended shall be noticed soon. */
const longestMisconfiguredMs = 30_000

type PassingFailure = Exclude<VendorFailure, { kind: 'final' }>

/** The failure after which the task waits for another answer, if it is one. A vendor that is not called ages no task. */
export function passing(task: VendorTask, answer: VendorAnswer<unknown>): PassingFailure | null {
  if (answer.kind === 'misconfigured') return answer
  return answer.kind === 'retry' && (answer.held === true || task.ageMs <= giveUpAfterMs) ? answer : null
}

/** The task is tried again after what the vendor asked for, else after the backoff. */
export async function putOff(
  sql: Sql,
  task: VendorTask,
  failure: PassingFailure,
  random: () => number = Math.random,
): Promise<void> {
  await retryTask(sql, task, { inMs: pauseMs(failure, task.attempts + 1, random), failure })
}

/** For calls that may be repeated whatever became of the one before. */
export function unambiguous(failure: PassingFailure): PassingFailure {
  return failure.kind === 'retry' ? { ...failure, ambiguous: false } : failure
}

/** The breaker holds back what comes too soon. */
function pauseMs(failure: PassingFailure, attempt: number, random: () => number): number {
  if (failure.kind === 'misconfigured') return Math.min(longestMisconfiguredMs, vendorRetryMs(attempt, random()))
  return failure.retryAfterMs ?? vendorRetryMs(attempt, random())
}

export function logAttempt(log: Logger, task: VendorTask, answer: VendorAnswer<unknown>): void {
  const failure = answer.kind === 'ok' ? {} : { reason: answer.message, status: answer.status }
  const line = {
    event: `vendor.${task.action}`,
    subject: task.subject,
    tenant_key: task.tenantKey,
    outcome: answer.kind,
    ...failure,
  }
  log[answer.kind === 'ok' ? 'info' : 'warn'](line, `${task.action} at the vendor: ${answer.kind}`)
}
