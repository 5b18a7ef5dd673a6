import type { Sql } from '../../platform/database/database.js'

/** What a day was like; counts only. */
export interface Figures {
  received: number
  completed: number
  canceled: number
  failed: number
  open: number
  stale: number
  delivered: number
  calls: number
  limited: number
  dead: number
  waitedMinutes: number
}

const hourOfDigest = 9

/** The day whose digest is due, as `2026-01-02` of the time zone; `null` before nine o'clock. */
export function digestDay(now: Date, timeZone: string): string | null {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' }).format(now)
  const hour = Number(new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', hourCycle: 'h23' }).format(now))
  return hour >= hourOfDigest ? parts : null
}

const keyOf = (day: string) => `digest:${day}`

/** Whether this day's digest is still to be sent: once, by whichever process comes first. */
export async function isDigestDue(sql: Sql, day: string): Promise<boolean> {
  const known = await sql.query('SELECT 1 FROM alerts WHERE key = $1', [keyOf(day)])
  return known.rowCount === 0
}

/** Remembered for a week, cleared from the start: it is no alert. */
export async function markDigest(sql: Sql, day: string): Promise<void> {
  await sql.query(
    `INSERT INTO alerts (key, severity, notified_at, cleared_at) VALUES ($1, 'digest', now(), now()) ON CONFLICT DO NOTHING`,
    [keyOf(day)],
  )
  await sql.query(`DELETE FROM alerts WHERE severity = 'digest' AND raised_at < now() - interval '7 days'`)
}

export async function readFigures(sql: Sql): Promise<Figures> {
  const ended = (state: string) =>
    `(SELECT count(*)::int FROM orders WHERE state = '${state}' AND erased_at IS NULL AND updated_at > now() - interval '1 day')`
  const { rows } = await sql.query<Figures>(
    `SELECT (SELECT count(*)::int FROM orders WHERE created_at > now() - interval '1 day') AS received,
       ${ended('completed')} AS completed, ${ended('canceled')} AS canceled,
       (SELECT count(*)::int FROM orders WHERE state = 'failed') AS failed,
       (SELECT count(*)::int FROM orders WHERE state <> 'completed' AND state <> 'canceled') AS open,
       (SELECT count(*)::int FROM orders WHERE attention <> '{}' AND attention @> ARRAY['stale'] AND state <> 'completed' AND state <> 'canceled') AS stale,
       d.delivered, d.calls, d.limited,
       (SELECT count(*)::int FROM deliveries WHERE state = 'dead') AS dead,
       (SELECT coalesce(extract(epoch FROM now() - min(seen_at)) / 60, 0)::int FROM deliveries WHERE due_at IS NOT NULL) AS "waitedMinutes"
     FROM (SELECT coalesce(sum(delivered), 0)::int AS delivered, coalesce(sum(calls), 0)::int AS calls, coalesce(sum(limited), 0)::int AS limited
           FROM call_minutes WHERE minute > now() - interval '1 day') d`,
  )
  const [figures] = rows
  if (figures === undefined) throw new Error('a statement without a condition answered no row')
  return figures
}
