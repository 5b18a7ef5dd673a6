import { unattendedBuckets } from '../../flow/outbox/buckets.js'
import { type Check, doubt, type Found, ok, wrong } from './check.js'

const lateS = 600

interface Stuck {
  events_failed: number
  events_late: number
  dead: number
  orders_failed: number
  polls_late: number
  tasks_late: number
  unattended: number
}

/** What waits for a person, and what nobody works on. */
export const workCheck: Check = {
  name: 'work',
  run: async ({ database: { pool } }) => {
    const late = `now() - ${lateS} * interval '1 second'`
    const { rows } = await pool.query<Stuck>(
      `SELECT (SELECT count(*)::int FROM events WHERE state = 'failed') AS events_failed,
         (SELECT count(*)::int FROM events WHERE due_at < ${late}) AS events_late,
         (SELECT count(*)::int FROM deliveries WHERE state = 'dead') AS dead,
         (SELECT count(*)::int FROM orders WHERE state = 'failed') AS orders_failed,
         (SELECT count(*)::int FROM poll_schedule WHERE due_at < ${late}) AS polls_late,
         (SELECT count(*)::int FROM vendor_tasks WHERE due_at < ${late}) AS tasks_late,
         (SELECT count(*)::int FROM (${unattendedBuckets}) unattended WHERE since < ${late}) AS unattended`,
    )
    const [stuck] = rows
    const found = stuck === undefined ? [] : judge(stuck)
    return found.length > 0 ? found : ok('nothing is stuck')
  },
}

function judge(stuck: Stuck): Found[] {
  const waiting = (count: number, what: string, remedy: string) => (count > 0 ? doubt(`${what}: ${count}`, remedy) : [])
  const idle = (count: number, what: string, role: 'poller' | 'sync' = 'poller') =>
    count > 0
      ? wrong(`${count} ${what} for ten minutes and more`, `check that a process with the role ${role} runs`)
      : []
  return [
    ...waiting(
      stuck.events_failed,
      'failed events',
      '`bgc events ls --state failed`, mend the cause, `bgc events retry`',
    ),
    ...waiting(stuck.dead, 'dead deliveries', '`bgc deliveries ls --state dead`; docs/feishu.md tells what codes mean'),
    ...waiting(stuck.orders_failed, 'failed orders', '`bgc orders ls --state failed`, then `bgc orders retry`'),
    ...idle(stuck.events_late, 'events wait'),
    ...idle(stuck.polls_late, 'polls are late'),
    ...idle(stuck.tasks_late, 'calls to the vendor wait'),
    ...idle(stuck.unattended, 'methods of tenants have calls to Feishu that nobody makes', 'sync'),
  ]
}
