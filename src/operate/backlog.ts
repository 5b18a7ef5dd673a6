import { unattendedBuckets } from '../flow/outbox/buckets.js'

/**
 * What waits and what is stuck, counted in the database: one line for each statement, and the gauges that its columns
 * fill. Each reads an index that holds no more than what waits, or a small table: at ten million orders they take as long
 * as at ten. A row's `label` is the value of the gauge's one label.
 */
export interface BacklogQuery {
  sql: string
  gauges: readonly BacklogGauge[]
}

export interface BacklogGauge {
  name: string
  help: string
  /** The label that `label` is the value of; none: one value. */
  label?: string
  column: 'n' | 'age'
}

const ageOf = (time: string) => `greatest(0, extract(epoch FROM now() - ${time}))::float8`

/** A claim lies in the future, so what is being worked for is not late. */
const pollsLate = `
  SELECT coalesce((SELECT ${ageOf('due_at')} FROM poll_schedule ORDER BY due_at LIMIT 1), 0) AS age`

export function backlogQueries(retentionDays: number): readonly BacklogQuery[] {
  return [
    {
      sql: `SELECT api AS label, count(*)::int AS n, ${ageOf('min(seen_at)')} AS age
        FROM deliveries WHERE due_at IS NOT NULL GROUP BY api`,
      gauges: [
        {
          name: 'bgc_deliveries_waiting_heads',
          help: 'Lanes whose head waits or is being sent.',
          label: 'api',
          column: 'n',
        },
        {
          name: 'bgc_deliveries_oldest_waiting_seconds',
          help: 'Age of the oldest delivery that waits, since it was seen.',
          label: 'api',
          column: 'age',
        },
      ],
    },
    {
      sql: `SELECT count(*)::int AS n, coalesce(${ageOf('min(since)')}, 0) AS age FROM (${unattendedBuckets}) unattended`,
      gauges: [
        {
          name: 'bgc_buckets_unattended',
          help: 'Methods of tenants for which calls are due that nothing holds back, and no process makes them.',
          column: 'n',
        },
        {
          name: 'bgc_buckets_unattended_seconds',
          help: 'For how long the one that waits longest has waited for a process.',
          column: 'age',
        },
      ],
    },
    {
      sql: `SELECT state AS label, count(*)::int AS n FROM deliveries WHERE state IN ('pending', 'sending') GROUP BY 1`,
      gauges: [
        {
          name: 'bgc_deliveries_unsettled',
          help: 'Deliveries that wait, also behind others of their lane, or are being sent.',
          label: 'state',
          column: 'n',
        },
      ],
    },
    {
      sql: `SELECT dead_class AS label, count(*)::int AS n FROM deliveries WHERE state = 'dead' GROUP BY 1`,
      gauges: [
        {
          name: 'bgc_deliveries_dead',
          help: 'Deliveries that are dead, by who can mend them.',
          label: 'class',
          column: 'n',
        },
      ],
    },
    {
      sql: `SELECT count(*)::int AS n, coalesce(${ageOf('min(received_at)')}, 0) AS age FROM events WHERE due_at IS NOT NULL`,
      gauges: [
        { name: 'bgc_events_waiting', help: 'Events that were kept and have had no effect yet.', column: 'n' },
        { name: 'bgc_events_oldest_waiting_seconds', help: 'Age of the oldest event that waits.', column: 'age' },
      ],
    },
    {
      sql: `SELECT count(*)::int AS n FROM events WHERE state = 'failed'`,
      gauges: [{ name: 'bgc_events_failed', help: 'Events that were kept and could have no effect.', column: 'n' }],
    },
    {
      sql: `SELECT state AS label, count(*)::int AS n FROM orders WHERE state <> 'completed' AND state <> 'canceled' GROUP BY 1`,
      gauges: [
        {
          name: 'bgc_orders_open',
          help: 'Orders that are neither completed nor canceled.',
          label: 'state',
          column: 'n',
        },
      ],
    },
    {
      sql: `SELECT action AS label, count(*)::int AS n, ${ageOf('min(due_at)')} AS age FROM vendor_tasks GROUP BY 1`,
      gauges: [
        {
          name: 'bgc_vendor_tasks_waiting',
          help: 'Calls that the vendor owes an answer to.',
          label: 'action',
          column: 'n',
        },
        {
          name: 'bgc_vendor_tasks_late_seconds',
          help: 'For how long the one that is due longest has been due.',
          label: 'action',
          column: 'age',
        },
      ],
    },
    {
      sql: pollsLate,
      gauges: [
        {
          name: 'bgc_polls_late_seconds',
          help: 'For how long the order that is due longest waits for its poll.',
          column: 'age',
        },
      ],
    },
    {
      sql: 'SELECT state AS label, count(*)::int AS n FROM accounts GROUP BY 1',
      gauges: [{ name: 'bgc_accounts', help: 'Accounts that customers bound.', label: 'state', column: 'n' }],
    },
    {
      sql: 'SELECT scope AS label, count(*)::int AS n FROM holds WHERE released_at IS NULL GROUP BY 1',
      gauges: [{ name: 'bgc_holds_open', help: 'What is parked.', label: 'scope', column: 'n' }],
    },
    {
      sql: `SELECT kind AS label, count(*)::int AS n FROM findings WHERE state = 'open' GROUP BY 1`,
      gauges: [
        { name: 'bgc_findings_open', help: 'Differences that a person should look at.', label: 'kind', column: 'n' },
      ],
    },
    {
      sql: 'SELECT permission AS label, count(*)::int AS n FROM sweeps GROUP BY 1',
      gauges: [
        {
          name: 'bgc_sweeps',
          help: 'Tenants whose orders in Feishu are compared, by whether they can be read.',
          label: 'permission',
          column: 'n',
        },
      ],
    },
    {
      sql: `SELECT coalesce(max(${ageOf('finished_at')}), 0) AS age FROM sweeps WHERE permission = 'readable'`,
      gauges: [
        {
          name: 'bgc_sweeps_oldest_seconds',
          help: 'Since the end of the last whole sweep of the tenant that waits longest for another.',
          column: 'age',
        },
      ],
    },
    {
      sql: `SELECT coalesce(greatest(0, ${ageOf('min(updated_at)')} - ${retentionDays} * 86400.0), 0)::float8 AS age
        FROM orders WHERE erased_at IS NULL`,
      gauges: [
        {
          name: 'bgc_retention_overdue_seconds',
          help: 'For how long personal data is kept beyond BGC_RETENTION_DAYS.',
          column: 'age',
        },
      ],
    },
    {
      sql: 'SELECT count(*)::int AS n FROM restores WHERE released_at IS NULL',
      gauges: [
        { name: 'bgc_restores_held', help: 'Restores of a backup after which sending is still held.', column: 'n' },
      ],
    },
    {
      sql: 'SELECT severity AS label, count(*)::int AS n FROM alerts WHERE cleared_at IS NULL GROUP BY 1',
      gauges: [
        {
          name: 'bgc_alerts_standing',
          help: 'Alerts that the group bot was told, or is to be told.',
          label: 'severity',
          column: 'n',
        },
      ],
    },
  ]
}
