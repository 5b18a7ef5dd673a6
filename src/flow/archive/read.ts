import type { Sql } from '../../platform/database/database.js'
import { archivedHash } from '../archived.js'
import { archiveTable } from './table.js'

export type ReadArchived =
  /** `document`: as src/flow/archive/document.ts writes it. */
  | { kind: 'archived'; archivedAt: Date; document: unknown }
  /** Its month was exported and taken off: `2025-03`. */
  | { kind: 'exported'; month: string }
  | { kind: 'unknown' }

/** Two looks, so that only one month of the archive is asked. */
export async function readArchived(sql: Sql, backgroundCheckId: string): Promise<ReadArchived> {
  const known = await sql.query<{ day: string }>(
    `SELECT to_char(month, 'YYYY-MM-DD') AS day FROM archived_checks WHERE hash = ${archivedHash('$1')}`,
    [backgroundCheckId],
  )
  const day = known.rows[0]?.day
  if (day === undefined) return { kind: 'unknown' }
  const found = await sql.query<{ archived_at: Date; document: unknown }>(
    `SELECT archived_at, document FROM ${archiveTable} WHERE background_check_id = $1 AND month = $2::date`,
    [backgroundCheckId, day],
  )
  const row = found.rows[0]
  if (row === undefined) return { kind: 'exported', month: day.slice(0, 7) }
  return { kind: 'archived', archivedAt: row.archived_at, document: row.document }
}
