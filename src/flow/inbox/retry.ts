import type { Sql } from '../../platform/database/database.js'

export type Retried = 'done' | 'unknown' | 'erased' | 'not_failed'

/** Makes a failed event new: due at once, with all its attempts before it. */
export async function retryEvent(sql: Sql, id: bigint): Promise<Retried> {
  const found = await sql.query<{ state: string; kept: boolean }>(
    'SELECT state, payload_sealed IS NOT NULL AS kept FROM events WHERE id = $1 FOR UPDATE',
    [id],
  )
  const event = found.rows[0]
  if (event === undefined) return 'unknown'
  if (event.state !== 'failed') return 'not_failed'
  if (!event.kept) return 'erased'
  await sql.query(
    `UPDATE events SET state = 'new', due_at = now(), attempts = 0, error = NULL, settled_at = NULL WHERE id = $1`,
    [id],
  )
  return 'done'
}
