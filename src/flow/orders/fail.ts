import type { Sql } from '../../platform/database/database.js'
import { addToTimeline } from '../timeline.js'
import { mostCrashes } from './crashes.js'
import { lockOrder } from './receive.js'
import { finishTask, type VendorTask } from './tasks.js'

const vendorsFault = {
  class: 'vendor',
  action: 'mend the cause at the vendor, then place the order again or cancel it',
}
const ourFault = { class: 'ours', action: 'look into the log, then place the order again or cancel it' }

/** Placing crashed too often. A cancel that came meanwhile goes on. */
export async function giveUpPlacing(sql: Sql, task: VendorTask): Promise<void> {
  const order = await lockOrder(sql, task.id)
  const mine = await sql.query(
    `SELECT 1 FROM vendor_tasks WHERE subject = $1 AND fence = $2 AND action = 'place' FOR UPDATE`,
    [task.subject, task.fence],
  )
  if (mine.rowCount === 0) return
  if (order?.state !== 'received') await finishTask(sql, task)
  else await failOrder(sql, task, 'place_given_up', `placing it crashed ${mostCrashes} times`, ourFault)
}

/** Ends the task: the order waits for an operator. */
export async function failOrder(
  sql: Sql,
  task: VendorTask,
  kind: 'place_refused' | 'place_given_up',
  message: string,
  fault: { class: string; action: string } = vendorsFault,
): Promise<void> {
  await finishTask(sql, task)
  const failure = { class: fault.class, message, action: fault.action }
  await sql.query(
    `UPDATE orders SET state = 'failed', failure = $2, attention = array_append(array_remove(array_remove(attention, 'stale'), 'failed'), 'failed'),
       updated_at = now() WHERE background_check_id = $1`,
    [task.id, failure],
  )
  await addToTimeline(sql, [{ backgroundCheckId: task.id, kind }])
}
