import type { Sql } from '../../platform/database/database.js'
import { stateOf } from './state-of.js'

/** Ends the dead deliveries of a lane: others were put in their place. The caller holds the lane. */
export async function supersedeDead(sql: Sql, lane: string): Promise<void> {
  await sql.query(
    `UPDATE deliveries d SET state = 'superseded', dead_class = NULL, settled_at = now() WHERE lane = $1 AND ${stateOf('d')} = 'dead'`,
    [lane],
  )
}
