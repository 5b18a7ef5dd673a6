import type { Database, Sql } from '../../platform/database/database.js'
import { addToTimeline, type TimelineEntry } from '../timeline.js'
import { settleApprovals } from './approval.js'
import { type CountedCall, countCalls } from './call-minutes.js'
import { lockLanes, readyHeads } from './lanes.js'
import { type OtherParts, type OtherRow, tellKeepers } from './settle-other.js'
import { settlePolls } from './settle-polls.js'
import type { Move, Settlement } from './settlement.js'
import { stateOf } from './state-of.js'
import { endLanes } from './supersede.js'
import { makeSure } from './unsure.js'

export interface SettledDelivery {
  id: string
  fence: number
  api: string
  state: string
  seenMsAgo: number
}

/**
 * Settles many claims in one transaction: the deliveries, the heads that come after them, and what their orders become.
 * A claim whose fence is not the row's any more changes nothing. Answers what was settled and the buckets that got
 * something to do.
 */
export async function settleDeliveries(
  database: Database,
  settlements: readonly Settlement[],
  other: OtherParts,
): Promise<{ settled: SettledDelivery[]; buckets: number[] }> {
  const lanes = [...new Set(settlements.map((each) => each.lane))]
  return database.transaction(async (sql) => {
    const unsure = await lockLanes(sql, lanes)
    await makeBucketsToMoveTo(sql, settlements)
    const rows = await update(sql, settlements)
    const put = await tellKeepers(sql, other, rows.filter(isOther), settlements)
    await endLanes(sql, rows)
    if (unsure.length > 0) await makeSure(sql, takenIn(unsure, rows, settlements))
    const buckets = [...put, ...(await readyHeads(sql, lanes)), ...movedTo(rows, settlements)]
    await settleOrders(sql, rows, settlements)
    await countCalls(sql, callsOf(rows, settlements))
    return {
      settled: rows.map(({ id, fence, api, state, seen_ms_ago }) => ({
        id,
        fence,
        api,
        state,
        seenMsAgo: seen_ms_ago,
      })),
      buckets,
    }
  })
}

/** Lanes of which Feishu has just taken something: what comes later in them cannot have been there before. */
function takenIn(lanes: readonly string[], rows: readonly SettledRow[], settlements: readonly Settlement[]): string[] {
  const called = new Set(settlements.filter((each) => each.callMsAgo !== null).map((each) => each.id))
  const taken = rows.filter((row) => row.state === 'delivered' && row.confirmed && called.has(row.id))
  return lanes.filter((lane) => taken.some((row) => row.lane === lane))
}

/** The call of a claim that is not the row's any more was counted by whoever claimed it next. */
function callsOf(rows: readonly SettledRow[], settlements: readonly Settlement[]): CountedCall[] {
  const settled = new Set(rows.map(({ id, fence }) => `${id}.${fence}`))
  return settlements.flatMap(({ id, fence, to, call, callMsAgo }) => {
    if (call === undefined || callMsAgo === null || !settled.has(`${id}.${fence}`)) return []
    return [{ ...call, msAgo: callMsAgo, delivered: to === 'delivered' }]
  })
}

interface SettledRow extends OtherRow {
  fence: number
  bucket_id: number
  background_check_id: string | null
  stage_id: string | null
  seen_ms_ago: number
}

const isOther = (row: SettledRow) => row.background_check_id === null

/** Nothing of the order is sent any more: it was stopped, or erased, while the call was under way. */
const isOver = `(o.state = 'canceled' OR o.erased_at IS NOT NULL)`
/** Feishu refused it because the order was over, or nothing is left of it that somebody could send again. */
const refusedAsOver = `s.state = 'dead' AND (s.last_error ->> 'code' = '1002858' OR o.erased_at IS NOT NULL)`

const updateSql = `
  UPDATE deliveries d SET
    state = CASE WHEN ${isOver} AND (s.state = 'pending' OR ${refusedAsOver}) THEN 'superseded' ELSE s.state END,
    due_at = CASE WHEN s.state = 'pending' AND ${isOver} IS NOT TRUE THEN now() + s.in_ms * interval '1 ms' END,
    settled_at = CASE WHEN s.state = 'pending' AND ${isOver} IS NOT TRUE THEN NULL ELSE now() END,
    attempts = d.attempts + s.attempt,
    waited_ms = d.waited_ms + CASE WHEN s.attempt = 0 AND NOT s.ages AND d.first_attempt_at IS NOT NULL THEN s.in_ms::bigint ELSE 0 END,
    ambiguous = (d.ambiguous AND NOT s.clears) OR s.ambiguous,
    bucket_id = CASE WHEN s.move_to IS NULL THEN d.bucket_id ELSE
      (SELECT b.id FROM buckets b WHERE b.app_id = d.app_id AND b.tenant_key = d.tenant_key AND b.api = s.move_to) END,
    confirmed = s.confirmed,
    dead_class = CASE WHEN ${isOver} AND ${refusedAsOver} THEN NULL ELSE s.dead_class END,
    last_error = CASE WHEN s.state = 'pending' THEN coalesce(s.last_error, d.last_error) ELSE s.last_error END,
    first_attempt_at = CASE WHEN s.call_ms_ago IS NULL AND s.attempt = 0 THEN d.first_attempt_at
      ELSE coalesce(d.first_attempt_at, now()) END,
    recent_calls = CASE WHEN s.call_ms_ago IS NULL THEN d.recent_calls
      WHEN d.last_call_at > now() - interval '61 s' THEN d.recent_calls + 1 ELSE 1 END,
    last_call_at = CASE WHEN s.call_ms_ago IS NULL THEN d.last_call_at ELSE now() - s.call_ms_ago * interval '1 ms' END
  FROM unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::float8[], $6::int[], $7::bool[], $8::bool[], $9::text[],
      $10::jsonb[], $11::float8[], $12::text[], $13::bool[], $14::bool[])
    AS s (id, fence, background_check_id, state, in_ms, attempt, ambiguous, confirmed, dead_class, last_error, call_ms_ago,
      move_to, clears, ages)
  LEFT JOIN orders o ON o.background_check_id = s.background_check_id
  WHERE d.id = s.id AND d.fence = s.fence AND ${stateOf('d')} = 'sending'
  RETURNING d.id, d.fence, d.lane, d.api, d.state, d.app_id, d.tenant_key, d.bucket_id, d.background_check_id, d.stage_id,
    d.dead_class, d.confirmed, CASE WHEN d.background_check_id IS NULL THEN d.body_sealed END AS body_sealed,
    extract(epoch FROM now() - d.seen_at)::float8 * 1000 AS seen_ms_ago`

async function update(sql: Sql, all: readonly Settlement[]): Promise<SettledRow[]> {
  const updated = await sql.query<SettledRow>({
    name: 'settle-deliveries',
    text: updateSql,
    values: [
      all.map((each) => each.id),
      all.map((each) => each.fence),
      all.map((each) => each.backgroundCheckId),
      all.map((each) => each.to),
      all.map((each) => (each.to === 'pending' ? each.inMs : 0)),
      all.map((each) => (each.to === 'pending' ? each.attempt : each.callMsAgo === null ? 0 : 1)),
      all.map((each) => each.to === 'pending' && each.ambiguous),
      all.map((each) => each.to === 'delivered' && each.confirmed),
      all.map((each) => (each.to === 'dead' ? each.class : null)),
      all.map((each) => (each.lastError === null ? null : JSON.stringify(each.lastError))),
      all.map((each) => each.callMsAgo),
      all.map((each) => moveOf(each)?.toBucketOf ?? null),
      all.map((each) => moveOf(each)?.clears ?? false),
      all.map((each) => each.to === 'pending' && (each.ages ?? false)),
    ],
  })
  return updated.rows
}

function moveOf(settlement: Settlement): Move | undefined {
  return settlement.to === 'pending' ? settlement.move : undefined
}

async function makeBucketsToMoveTo(sql: Sql, settlements: readonly Settlement[]): Promise<void> {
  const moving = settlements.flatMap((each) => {
    const move = moveOf(each)
    return move === undefined ? [] : [{ id: each.id, api: move.toBucketOf }]
  })
  if (moving.length === 0) return
  await sql.query(
    `INSERT INTO buckets (app_id, tenant_key, api)
     SELECT DISTINCT d.app_id, d.tenant_key, m.api FROM unnest($1::bigint[], $2::text[]) AS m (id, api) JOIN deliveries d USING (id)
     ON CONFLICT DO NOTHING`,
    [moving.map((each) => each.id), moving.map((each) => each.api)],
  )
}

function movedTo(rows: readonly SettledRow[], settlements: readonly Settlement[]): number[] {
  const moved = new Set(settlements.filter((each) => moveOf(each) !== undefined).map((each) => each.id))
  return [...new Set(rows.filter((row) => moved.has(row.id)).map((row) => row.bucket_id))]
}

/** What settled deliveries make of their orders; the caller holds the lanes, so no cancel comes in between. */
async function settleOrders(sql: Sql, rows: readonly SettledRow[], settlements: readonly Settlement[]): Promise<void> {
  const byId = new Map(settlements.map((each) => [each.id, each]))
  const isHeld = (row: SettledRow) => {
    const settlement = byId.get(row.id)
    return settlement?.to === 'delivered' && settlement.heldForApproval
  }
  const of = (state: string, api: string) => rows.filter((row) => row.state === state && row.api === api)
  const results = of('delivered', 'update_result')
  await endOrders(
    sql,
    results.filter((row) => !isHeld(row)),
    'completed',
  )
  const canceled = of('delivered', 'cancel')
  await endOrders(sql, results.filter(isHeld), 'reported')
  await endOrders(sql, canceled, 'canceled')
  await settleApprovals(
    sql,
    rows.map((row) => ({ ...row, code: byId.get(row.id)?.lastError?.code })),
  )
  await flagDead(
    sql,
    rows.filter((row) => row.state === 'dead'),
  )
  // The order before its poll, as whoever writes down what the vendor says.
  await settlePolls(sql, { results, canceled, dead: [...of('dead', 'update_result'), ...of('dead', 'cancel')] })
  await addToTimeline(
    sql,
    rows.flatMap((row) => entriesOf(row, isHeld(row), byId.get(row.id))),
  )
}

/** Sorted, since two settlements may share orders with a cancel; the lane comes first everywhere. */
async function endOrders(sql: Sql, rows: readonly SettledRow[], state: string): Promise<void> {
  const ids = rows.flatMap((row) => row.background_check_id ?? [])
  if (ids.length === 0) return
  await sql.query(
    `UPDATE orders o SET state = $2, failure = NULL, updated_at = now(),
       attention = array_remove(array_remove(CASE WHEN $2 = 'canceled' AND NOT EXISTS (
           SELECT 1 FROM deliveries d WHERE d.background_check_id = o.background_check_id AND ${stateOf('d')} = 'dead')
         THEN array_remove(attention, 'delivery_dead') ELSE attention END, 'failed'), 'stale')
     WHERE background_check_id IN (
       SELECT background_check_id FROM orders WHERE background_check_id = ANY($1) AND state <> 'canceled'
       ORDER BY background_check_id FOR UPDATE)`,
    [ids, state],
  )
}

async function flagDead(sql: Sql, rows: readonly SettledRow[]): Promise<void> {
  const ids = rows.flatMap((row) => row.background_check_id ?? [])
  if (ids.length === 0) return
  await sql.query(
    `UPDATE orders SET attention = array_append(attention, 'delivery_dead'), updated_at = now()
     WHERE background_check_id = ANY($1) AND NOT attention @> ARRAY['delivery_dead']`,
    [ids],
  )
}

function entriesOf(row: SettledRow, held: boolean, settlement: Settlement | undefined): TimelineEntry[] {
  if (row.background_check_id === null || row.state === 'pending') return []
  const detail = {
    delivery_id: row.id,
    api: row.api,
    ...(row.stage_id !== null && { stage_id: row.stage_id }),
    ...(settlement?.to === 'delivered' && { confirmed: settlement.confirmed }),
    ...(settlement?.to === 'dead' && { class: settlement.class }),
  }
  const kind = row.state === 'delivered' && held ? 'held_for_approval' : row.state
  if (kind !== 'delivered' && kind !== 'held_for_approval' && kind !== 'dead' && kind !== 'superseded') return []
  return [{ backgroundCheckId: row.background_check_id, kind, detail }]
}
