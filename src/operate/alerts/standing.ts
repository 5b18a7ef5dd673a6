import type { Sql } from '../../platform/database/database.js'
import { type AlertName, type Condition, conditions } from './conditions.js'

/** Something that is wrong now. */
export interface Standing {
  name: AlertName
  about: string
  n: number
}

/** What the group is to be told: what is new, what still stands after hours, and what is over. */
export interface News {
  raised: Standing[]
  reminded: Standing[]
  cleared: Standing[]
}

const remindAfterHours = 4

export async function findStanding(sql: Sql): Promise<Standing[]> {
  const found: Standing[] = []
  for (const [name, condition] of Object.entries<Condition>(conditions)) {
    const { rows } = await sql.query<{ about: string; n: number }>(condition.sql)
    for (const row of rows) found.push({ name: name as AlertName, about: row.about, n: row.n })
  }
  return found
}

const keyOf = ({ name, about }: Standing) => `${name}:${about}`

/** Writes down what stands, and answers what the group does not know yet. */
export async function compare(sql: Sql, standing: readonly Standing[]): Promise<News> {
  const now = new Map(standing.map((each) => [keyOf(each), each]))
  for (const [key, each] of now) {
    await sql.query(
      `INSERT INTO alerts (key, severity, detail) VALUES ($1, $2, $3)
       ON CONFLICT (key) DO UPDATE SET seen_at = now(), detail = excluded.detail, cleared_at = NULL`,
      [key, conditions[each.name].severity, each],
    )
  }
  await sql.query(
    `UPDATE alerts SET cleared_at = now() WHERE cleared_at IS NULL AND severity <> 'digest' AND NOT key = ANY($1)`,
    [[...now.keys()]],
  )
  // What came and went between two messages is nothing to tell of.
  await sql.query(`DELETE FROM alerts WHERE cleared_at IS NOT NULL AND notified_at IS NULL AND severity <> 'digest'`)
  const { rows } = await sql.query<{ detail: Standing; isNew: boolean; isOver: boolean }>(
    `SELECT detail, notified_at IS NULL AS "isNew", cleared_at IS NOT NULL AS "isOver" FROM alerts
     WHERE severity <> 'digest' AND (notified_at IS NULL OR cleared_at IS NOT NULL
       OR notified_at < now() - ${remindAfterHours} * interval '1 hour') ORDER BY key`,
  )
  const of = (wanted: (row: { isNew: boolean; isOver: boolean }) => boolean) =>
    rows.filter(wanted).map(({ detail }) => detail)
  return {
    raised: of(({ isNew, isOver }) => isNew && !isOver),
    reminded: of(({ isNew, isOver }) => !isNew && !isOver),
    cleared: of(({ isOver }) => isOver),
  }
}

/** The group was told. */
export async function markTold(sql: Sql, { raised, reminded, cleared }: News): Promise<void> {
  await sql.query('UPDATE alerts SET notified_at = now() WHERE key = ANY($1)', [[...raised, ...reminded].map(keyOf)])
  await sql.query('DELETE FROM alerts WHERE key = ANY($1) AND cleared_at IS NOT NULL', [cleared.map(keyOf)])
}
