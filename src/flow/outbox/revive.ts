import { openDataKey } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { laneOfOrder, type OrderBody } from '../map.js'
import { addToTimeline } from '../timeline.js'
import { openOtherBody } from './bodies.js'
import { readDeathsBefore } from './deaths.js'
import { type Keepers, keeperOf } from './keepers.js'
import { lockLane } from './lanes.js'
import { type LaneDelivery, type OrderLane, putWaiting, readLane } from './put.js'
import { stateOf } from './state-of.js'
import { noMore } from './takes-no-more.js'

/** Whether a dead delivery waits again, or why it cannot. */
export type Revived = { kind: 'revived'; buckets: number[] } | Refused | { kind: 'unknown' }

/** `erased`: nothing is left of it to send. */
interface Refused {
  kind: 'refused'
  reason: string
  erased?: true
}

interface DeadRow {
  lane: string
  state: string
  api: string
  app_id: string
  tenant_key: string
  background_check_id: string | null
  body_sealed: Buffer | null
}

/**
 * Sends a dead delivery again, at an operator's word: it goes back into its lane behind whatever had an attempt and
 * before whatever had none, but for stages that died before it and wait again. A stage that later ones overtook gets a later `stage_time`, since Feishu takes no earlier one;
 * where nobody knows whether Feishu took it before, it is also looked for under the time that it had.
 */
export async function reviveDelivery(sql: Sql, sealer: Sealer, keepers: Keepers, id: string): Promise<Revived> {
  const found = await sql.query<DeadRow>(
    'SELECT lane, state, api, app_id, tenant_key, background_check_id, body_sealed FROM deliveries WHERE id = $1',
    [id],
  )
  const row = found.rows[0]
  if (row === undefined) return { kind: 'unknown' }
  if (row.background_check_id === null) return reviveOther(sql, sealer, keepers, id, row)
  const lane = await lockOrderLane(sql, sealer, row.background_check_id)
  if ('kind' in lane) return lane
  const deliveries = await readLane(sql, lane)
  const dead = deliveries.find((each) => each.id === id)
  if (dead?.state !== 'dead') return refused(`it is not dead, it is ${dead?.state ?? row.state}`)
  const isBehind = (each: LaneDelivery) =>
    isClosing(each) || (dead.content.api === 'update_result' && isWaitingCancel(each))
  const closing = deliveries.find((each) => isBehind(each) && each.id !== id)
  if (closing)
    return refused(`the ${closing.content.api} after it is ${closing.state}, and Feishu takes nothing behind that`)
  const unclear = deliveries.slice(deliveries.indexOf(dead) + 1).find(mayHaveClosed)
  if (unclear) return refused(`Feishu may have taken the ${unclear.content.api} after it: send that again first`)
  return { kind: 'revived', buckets: await putBack(sql, lane, deliveries, dead) }
}

/** What belongs to no order goes back by the rules of its room. */
async function reviveOther(sql: Sql, sealer: Sealer, keepers: Keepers, id: string, row: DeadRow): Promise<Revived> {
  const { lane, app_id: appId, tenant_key: tenantKey } = row
  const keeper = keeperOf(keepers, lane)
  if (keeper === undefined || row.body_sealed === null) return refused('nothing of it is left to send')
  await lockLane(sql, lane)
  const found = await sql.query<{ state: string }>('SELECT state FROM deliveries WHERE id = $1 FOR UPDATE', [id])
  const state = found.rows[0]?.state ?? row.state
  if (state !== 'dead') return refused(`it is not dead, it is ${state}`)
  const content = openOtherBody(sealer, lane, row.api, row.body_sealed)
  return keeper.revive(sql, { id, lane, appId, tenantKey, content })
}

/** Feishu has, or may have by the time this one is sent, the end of the order. */
function isClosing({ content, state, attempted }: LaneDelivery): boolean {
  return (
    content.api !== 'update_progress' &&
    attempted &&
    (state === 'delivered' || state === 'sending' || state === 'pending')
  )
}

/** What Feishu says to a repeat of anything before it would not tell whether that, or this, had been taken. */
function mayHaveClosed({ content, unclear }: LaneDelivery): boolean {
  return content.api !== 'update_progress' && unclear
}

/** The check is being stopped: no result may come behind that, nor in its way. */
function isWaitingCancel({ content, state }: LaneDelivery): boolean {
  return content.api === 'cancel' && state === 'pending'
}

async function lockOrderLane(sql: Sql, sealer: Sealer, backgroundCheckId: string): Promise<OrderLane | Refused> {
  const state = await lockLane(sql, laneOfOrder(backgroundCheckId))
  const found = await sql.query<{ app_id: string; tenant_key: string; state: string; data_key: Buffer | null }>(
    'SELECT app_id, tenant_key, state, data_key FROM orders WHERE background_check_id = $1 FOR UPDATE',
    [backgroundCheckId],
  )
  const order = found.rows[0]
  if (order?.data_key === undefined || order.data_key === null) {
    return { ...refused('its content was erased'), erased: true }
  }
  if (noMore.includes(order.state)) return refused(`its order is ${order.state}, and Feishu takes nothing more`)
  const key = openDataKey(sealer, backgroundCheckId, order.data_key)
  return { backgroundCheckId, appId: order.app_id, tenantKey: order.tenant_key, key, state }
}

async function putBack(
  sql: Sql,
  lane: OrderLane,
  deliveries: readonly LaneDelivery[],
  dead: LaneDelivery,
): Promise<number[]> {
  const waiting = deliveries.filter((each) => each.state === 'pending' && !each.attempted)
  const isStage = dead.content.api === 'update_progress'
  const others = deliveries.filter((each) => each.attempted && each.id !== dead.id && each.state !== 'superseded')
  const ahead = isStage ? await stagesBefore(sql, lane, dead, waiting) : waiting
  const again = [...ahead, dead, ...waiting.filter((each) => !ahead.includes(each))]
  await sql.query(
    `UPDATE deliveries SET state = 'pending', due_at = NULL, settled_at = NULL, dead_class = NULL, attempts = 0,
       first_attempt_at = NULL, waited_ms = 0, ambiguous = ambiguous OR dead_class = 'unconfirmed' OR $2 WHERE id = $1`,
    [dead.id, lane.state.unsure],
  )
  const buckets = await putWaiting(sql, lane, inTime(again, lastStageTime(others)), Date.now())
  await forgetAttention(sql, lane.backgroundCheckId)
  await addToTimeline(sql, [
    { backgroundCheckId: lane.backgroundCheckId, kind: 'revived', detail: { delivery_id: dead.id } },
  ])
  return buckets
}

/** Of the stages that wait, those that an operator sent again already and that had stood before this one. */
async function stagesBefore(
  sql: Sql,
  lane: OrderLane,
  { id }: LaneDelivery,
  waiting: readonly LaneDelivery[],
): Promise<LaneDelivery[]> {
  const before = await readDeathsBefore(sql, lane.backgroundCheckId, id)
  return waiting.filter((each) => each.content.api === 'update_progress' && before.includes(each.id))
}

function lastStageTime(deliveries: readonly LaneDelivery[]): number {
  return Math.max(
    0,
    ...deliveries.map(({ content }) => (content.api === 'update_progress' ? Number(content.body.stage_time) : 0)),
  )
}

/** Raises stage times where they would not increase. */
function inTime(deliveries: readonly LaneDelivery[], after: number): Array<{ id: string; content: OrderBody }> {
  let last = after
  return deliveries.map(({ id, content, unclear }) => {
    if (content.api !== 'update_progress') return { id, content }
    const { body, earlierTimes = [] } = content
    last = Math.max(Number(body.stage_time), last + 1)
    const raised = { ...content, body: { ...body, stage_time: String(last) } }
    const mayBeThere = unclear && raised.body.stage_time !== body.stage_time
    return { id, content: mayBeThere ? { ...raised, earlierTimes: [...earlierTimes, body.stage_time] } : raised }
  })
}

/** The flag of dead deliveries goes with the last of them. */
export async function forgetAttention(sql: Sql, backgroundCheckId: string): Promise<void> {
  await sql.query(
    `UPDATE orders SET attention = array_remove(attention, 'delivery_dead'), updated_at = now() WHERE background_check_id = $1
       AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.background_check_id = $1 AND ${stateOf('d')} = 'dead')`,
    [backgroundCheckId],
  )
}

function refused(reason: string): Refused {
  return { kind: 'refused', reason }
}

/** Which dead deliveries an operator means; what is left out is not asked for. */
export interface DeadFilter {
  class?: string | undefined
  api?: string | undefined
  app_id?: string | undefined
  tenant_key?: string | undefined
  background_check_id?: string | undefined
}

export const mostRevived = 1000

/** The oldest first: what was stuck longest is sent first. */
export async function findDead(sql: Sql, filter: DeadFilter): Promise<string[]> {
  const found = await sql.query<{ id: string }>(
    `SELECT id FROM deliveries WHERE state = 'dead' AND ($1::text IS NULL OR dead_class = $1) AND ($2::text IS NULL OR api = $2)
       AND ($3::text IS NULL OR app_id = $3) AND ($4::text IS NULL OR tenant_key = $4)
       AND ($5::text IS NULL OR background_check_id = $5) ORDER BY id LIMIT $6`,
    [filter.class, filter.api, filter.app_id, filter.tenant_key, filter.background_check_id, mostRevived].map(
      (each) => each ?? null,
    ),
  )
  return found.rows.map((row) => row.id)
}
