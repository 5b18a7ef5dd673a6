import type { Sql } from '../../platform/database/database.js'
import type { SettledOther } from '../outbox/keepers.js'

/** What a settled delivery's row says besides. */
export interface Facts {
  /** An earlier attempt may have taken effect. */
  ambiguous: boolean
  /** From our own table of outcomes. */
  reason: string | null
}

export async function factsOf(sql: Sql, deliveries: readonly SettledOther[]): Promise<ReadonlyMap<string, Facts>> {
  const found = await sql.query<Facts & { id: string }>(
    `SELECT id, ambiguous, last_error ->> 'reason' AS reason FROM deliveries WHERE id = ANY($1)`,
    [deliveries.map((each) => each.id)],
  )
  return new Map(found.rows.map((row) => [row.id, row]))
}
