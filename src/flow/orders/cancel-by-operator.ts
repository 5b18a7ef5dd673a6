import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { laneOfOrder, type OrderBody, type ProgressBody } from '../map.js'
import { closeLane } from '../outbox/lanes.js'
import { putWaiting } from '../outbox/put.js'
import { supersedeStopped } from '../outbox/supersede.js'
import { noMore } from '../outbox/takes-no-more.js'
import { addToTimeline } from '../timeline.js'
import { tellVendor } from './cancel.js'
import type { KnownDelivery } from './known-delivery.js'
import { freeStageId, isCancelComing, type OpenedLane, openLane, stageTimeAfter } from './open-lane.js'
import { cancelOf, saysStopped, stoppedStage, terminated } from './stages.js'

export interface StopWords {
  /** What the last stage says; `已终止` when left out. */
  stageName?: string | undefined
  /** For the vendor only. */
  reason?: string | undefined
}

export type Stopped =
  | { kind: 'stopped'; buckets: number[] }
  /** A cancel is on its way already: nothing was changed. */
  | { kind: 'waits' }
  | Exclude<OpenedLane, { kind: 'open' }>

type Open = Extract<OpenedLane, { kind: 'open' }>

/**
 * An operator stops a check in Feishu: what waits is superseded, a last stage says so, then the cancel goes. The vendor
 * is told, too, unless the check ended there, and is not asked any more: whatever it says from now on is not sent. The
 * order is `canceled` when Feishu took the cancel; a result that is under way goes first, and if Feishu takes it the
 * order is completed and not canceled.
 */
export async function cancelByOperator(sql: Sql, sealer: Sealer, id: string, words: StopWords): Promise<Stopped> {
  const opened = await openLane(sql, sealer, id, noMore)
  if (opened.kind !== 'open') return opened
  const { order, lane, known } = opened
  if (isUnderWay(opened)) return { kind: 'waits' }
  await supersedeStopped(sql, laneOfOrder(id))
  const waiting = lastWords(id, known, words.stageName, Date.now())
  const buckets = await putWaiting(sql, lane, waiting, Date.now())
  await closeLane(sql, laneOfOrder(id))
  const toVendor = !endedAtVendor(opened)
  if (toVendor) await tellVendor(sql, sealer, id, order, words.reason ?? '')
  await sql.query('DELETE FROM poll_schedule WHERE background_check_id = $1', [id])
  await sql.query(
    `UPDATE orders SET attention = array_remove(attention, 'stale'), updated_at = now() WHERE background_check_id = $1`,
    [id],
  )
  await addToTimeline(sql, [{ backgroundCheckId: id, kind: 'canceled_by_operator', detail: { to_vendor: toVendor } }])
  return { kind: 'stopped', buckets }
}

/** The cancel of a vendor that stopped gives way to the operator's words until its first attempt. */
function isUnderWay({ lane, known }: Open): boolean {
  if (lane.state.closedBy !== null) return isCancelComing(known)
  return isCancelComing(known.filter((each) => each.attempted))
}

function endedAtVendor({ lane, known }: Open): boolean {
  const said = known.filter((each) => each.state !== 'superseded').map((each) => each.content.api)
  return said.includes('update_result') || (said.includes('cancel') && lane.state.closedBy === null)
}

function lastWords(
  id: string,
  known: readonly KnownDelivery[],
  stageName: string | undefined,
  now: number,
): Array<{ content: OrderBody }> {
  const cancel: OrderBody = { api: 'cancel', body: cancelOf(id) }
  const stage = lastStage(id, known, stageName, now)
  return stage === null ? [{ content: cancel }] : [{ content: stage }, { content: cancel }]
}

/** `null` where Feishu takes no stage any more, since it has a result, or where the last one says so already. */
function lastStage(
  id: string,
  known: readonly KnownDelivery[],
  stageName: string | undefined,
  now: number,
): OrderBody | null {
  if (known.some(({ content, state }) => content.api === 'update_result' && state === 'delivered')) return null
  const there = known.flatMap(({ content, state }) =>
    content.api === 'update_progress' && (state === 'delivered' || state === 'sending') ? [content.body] : [],
  )
  const last = there.at(-1)
  if (last !== undefined && (stageName === undefined ? saysStopped(last) : last.stage_name === stageName)) return null
  const taken = known.some(({ content }) => content.api === 'update_progress' && content.body.stage_id === terminated)
  const body: ProgressBody = {
    background_check_id: id,
    stage_id: taken ? freeStageId(terminated, known) : terminated,
    ...stoppedStage(stageName),
    stage_time: String(Math.max(now, stageTimeAfter(known.filter((each) => each.attempted)))),
  }
  return { api: 'update_progress', body }
}
