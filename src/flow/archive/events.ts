import type { Sql } from '../../platform/database/database.js'

export interface DroppedEvents {
  events: number
  /** The id that the next page comes behind; `null`: all that follow are later. */
  next: string | null
}

/**
 * Deletes events that settled, and whose contents are gone, that came before a moment: what is left of them says only that
 * they came. `seen_events` still knows them. Those that somebody holds stay.
 *
 * A page at a time in the order of ids, which is that of their coming but for a moment: it ends where they are later.
 */
export async function dropSettledEvents(sql: Sql, before: Date, after: string, most: number): Promise<DroppedEvents> {
  const page = await sql.query<{ id: string; old: boolean }>(
    'SELECT id, received_at < $1 AS old FROM events WHERE id > $2 ORDER BY id LIMIT $3',
    [before, after, most],
  )
  const old = page.rows.filter((row) => row.old).map((row) => row.id)
  if (old.length === 0) return { events: 0, next: null }
  const dropped = await sql.query(
    `DELETE FROM events WHERE id IN (
       SELECT id FROM events WHERE id = ANY($1) AND state <> 'new' AND payload_sealed IS NULL ORDER BY id FOR UPDATE SKIP LOCKED)`,
    [old],
  )
  return { events: dropped.rowCount ?? 0, next: page.rows.at(-1)?.id ?? null }
}
