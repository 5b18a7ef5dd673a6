import type { Sql } from '../../platform/database/database.js'
import { addToTimeline } from '../timeline.js'
import { stateOf } from './state-of.js'

const state = stateOf('d')

/**
 * Ends everything that waits in lanes whose orders are over; what is being sent settles by its own answer. What Feishu
 * refused because the order was over, before we knew, was no longer needed either. The caller holds the lanes.
 */
export async function supersedeWaiting(sql: Sql, lanes: readonly string[]): Promise<void> {
  await supersede(sql, lanes, `${state} = 'pending' OR (${state} = 'dead' AND d.last_error ->> 'code' = '1002858')`)
}

/**
 * Ends what waits in the lane of an order that an operator stops, but for a result that Feishu may have taken: nothing
 * follows a result, so that one has to be settled first. The caller holds the lane.
 */
export async function supersedeStopped(sql: Sql, lane: string): Promise<void> {
  await supersede(sql, [lane], `${state} = 'pending' AND NOT (d.api = 'update_result' AND d.ambiguous)`)
}

/**
 * Ends what waits in the lane of an order that is erased, and what is dead there: nothing is left of it to send. The
 * caller holds the lane.
 */
export async function supersedeErased(sql: Sql, lane: string): Promise<void> {
  await supersede(sql, [lane], `${state} IN ('pending', 'dead')`)
}

/** What settled deliveries mean for what waits behind them, by an operator's cancel. The caller holds the lanes. */
export async function endLanes(
  sql: Sql,
  rows: ReadonlyArray<{ api: string; state: string; lane: string }>,
): Promise<void> {
  const lanesOf = (api: string, state: string) =>
    rows.filter((row) => row.api === api && row.state === state).map((row) => row.lane)
  await supersedeWaiting(sql, lanesOf('cancel', 'delivered'))
  // Nothing follows a result that Feishu took.
  await supersede(sql, lanesOf('update_result', 'delivered'), `${state} = 'pending'`)
  // A result that came back without having taken effect is not sent any more.
  await supersede(
    sql,
    lanesOf('update_result', 'pending'),
    `${state} = 'pending' AND d.api = 'update_result' AND NOT d.ambiguous AND EXISTS (
       SELECT 1 FROM deliveries c WHERE c.lane = d.lane AND c.api = 'cancel' AND ${stateOf('c')} = 'pending' AND c.seq > d.seq)`,
  )
}

/** Dead deliveries in whose place an operator has another one sent. The caller holds the lane. */
export async function supersedeReplaced(sql: Sql, lane: string, ids: readonly string[]): Promise<void> {
  if (ids.length > 0) await supersede(sql, [lane], `${state} = 'dead' AND d.id = ANY($2)`, [ids])
}

/** `which`: a condition on `d`. */
async function supersede(
  sql: Sql,
  lanes: readonly string[],
  which: string,
  values: readonly unknown[] = [],
): Promise<void> {
  if (lanes.length === 0) return
  const ended = await sql.query<{ id: string; background_check_id: string | null }>(
    `UPDATE deliveries d SET state = 'superseded', due_at = NULL, dead_class = NULL, settled_at = now()
     WHERE d.lane = ANY($1) AND (${which}) RETURNING d.id, d.background_check_id`,
    [lanes, ...values],
  )
  await addToTimeline(
    sql,
    ended.rows.flatMap(({ id, background_check_id }) =>
      background_check_id === null
        ? []
        : [{ backgroundCheckId: background_check_id, kind: 'superseded' as const, detail: { delivery_id: id } }],
    ),
  )
}
