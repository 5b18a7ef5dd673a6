import type { Sql } from '../../platform/database/database.js'

/**
 * After a restore nobody knows what was sent since the backup was made. A lane is unsure until Feishu took something of it
 * or a sweep saw that it has nothing else; until then all that is put into it counts as an attempt of unknown outcome
 * (contract §3.11): Feishu is asked first, and where it cannot be, its answer is read as that to a repeat.
 */

/**
 * What such a delivery begins with. Whatever was sent arrived long ago, so that one look tells: the second of three was the
 * last one without an answer to wait for.
 */
export const unsureBegin = { reason: 'it may have been sent before the database was restored', looks: 2 } as const

/** Events that were acknowledged before the restore come again within this, if at all (contract §2). */
export const unsureFor = `interval '9 hours'`

/** Lanes of which all is known again. The caller need not hold them; locked in the order that everybody keeps. */
export async function makeSure(sql: Sql, lanes: readonly string[]): Promise<void> {
  if (lanes.length === 0) return
  await sql.query(
    `UPDATE lanes SET unsure = false WHERE lane IN (
       SELECT lane FROM lanes WHERE lane = ANY($1) AND unsure ORDER BY lane FOR UPDATE)`,
    [lanes],
  )
}

/** Other stages in a lane, as they are sealed; `null` where nothing is unsure. */
export async function stagesOfUnsure(sql: Sql, lane: string, but: string): Promise<Buffer[] | null> {
  const found = await sql.query<{ body_sealed: Buffer | null }>(
    `SELECT d.body_sealed FROM lanes l LEFT JOIN deliveries d
       ON d.lane = l.lane AND d.api = 'update_progress' AND d.state <> 'superseded' AND d.id <> $2
     WHERE l.lane = $1 AND l.unsure`,
    [lane, but],
  )
  return found.rowCount === 0 ? null : found.rows.flatMap((row) => row.body_sealed ?? [])
}
