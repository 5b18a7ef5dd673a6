import type { Database } from '../../platform/database/database.js'
import { isOfDatabase } from '../../platform/database/of-values.js'
import type { TaskWorkerOptions, VendorTask } from './tasks.js'

/** Code of ours that fails for so many times does not do so by chance: a person has to look. */
export const mostCrashes = 10

/** A bug or a lost database: the row says when it is tried again, and the lease does if even that cannot be written. */
export async function onCrash(options: TaskWorkerOptions, task: VendorTask, failure: unknown): Promise<void> {
  const { database, log, onFailure } = options
  const about = { subject: task.subject, action: task.action }
  onFailure?.(`vendor-${task.action}`)
  log.error({ event: 'vendor_task.crashed', ...about, err: failure }, 'a task crashed')
  try {
    const crashes = await putOffCrashed(database, task, failure)
    if (crashes < mostCrashes) return
    await database.transaction((sql) => options.giveUp[task.action](sql, task))
    log.error({ event: 'vendor_task.given_up', ...about, crashes }, 'a task crashed too often and is given up')
  } catch (lost) {
    log.warn({ event: 'vendor_task.not_put_off', ...about, err: lost }, 'a task that crashed waits for its lease')
  }
}

/**
 * Its call may have taken effect. Answers how often it crashed, this time included; 0 when that was the doing of a database
 * that is away, which does not count. At the last time it stays claimed until it is given up: nobody tries it once more in
 * between.
 */
async function putOffCrashed({ pool }: Database, task: VendorTask, failure: unknown): Promise<number> {
  const counts = !isOfDatabase(failure)
  const { rows } = await pool.query<{ crashes: number }>(
    `UPDATE vendor_tasks SET claimed = $3 AND crashes + 1 >= $5, ambiguous_at = now(), attempts = attempts + 1,
       crashes = crashes + $3::int, due_at = CASE WHEN $3 AND crashes + 1 >= $5 THEN due_at
         ELSE now() + least(300000, 1000 * 2 ^ least(attempts, 16)) * interval '1 ms' END, last_error = $4
     WHERE subject = $1 AND fence = $2 RETURNING crashes`,
    [task.subject, task.fence, counts, 'our own code failed; the log tells why', mostCrashes],
  )
  return counts ? (rows[0]?.crashes ?? 0) : 0
}
