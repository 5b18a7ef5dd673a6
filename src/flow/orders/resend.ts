import type { Sql } from '../../platform/database/database.js'
import { laneOfOrder, type OrderBody } from '../map.js'
import { putWaiting } from '../outbox/put.js'
import { forgetAttention } from '../outbox/revive.js'
import { supersedeReplaced } from '../outbox/supersede.js'
import { addToTimeline, type TimelineNote } from '../timeline.js'
import type { VendorAnswer, VendorOrder } from '../vendor/adapter.js'
import { againOf, type LastSaid, lastSaid } from './again.js'
import { type KnownDelivery, resultTimeOf, stageTimeOf } from './known-delivery.js'
import { pollAfresh } from './nudge.js'
import { freeStageId, type OpenedLane, openLane, stageIdIn, stageTimeAfter } from './open-lane.js'
import type { PlaceOptions } from './place.js'
import { lockOrder } from './receive.js'
import { recordVendorOrder } from './record.js'
import { contentOf, progressOf, resultOf, stageIdOf } from './stages.js'
import { logAttempt, passing, putOff, unambiguous } from './task-attempt.js'
import { finishTask, type RunTask, type VendorTask } from './tasks.js'

export type ResendOptions = Omit<PlaceOptions, 'onPlaced' | 'onCancelWanted'> & {
  onReady: (buckets: readonly number[]) => void
}

type Open = Extract<OpenedLane, { kind: 'open' }>
type Found = Extract<LastSaid, { kind: 'found' }>

/**
 * Sends a result or a stage again at an operator's word: as a new delivery with what the vendor says now, or with what
 * was sent last where the vendor does not say anything of it any more.
 */
export function createResending(options: ResendOptions): RunTask {
  return async (task, signal) => {
    const { backgroundCheckId } = againOf(task.id)
    const { rows } = await options.database.pool.query<{ vendor_order_id: string | null }>(
      'SELECT vendor_order_id FROM orders WHERE background_check_id = $1',
      [backgroundCheckId],
    )
    const number = rows[0]?.vendor_order_id ?? null
    const answer: VendorAnswer<VendorOrder | null> =
      number === null ? { kind: 'ok', value: null } : await options.vendor.getOrder(number, { signal })
    const buckets = await options.database.transaction((sql) => settle(options, sql, task, answer))
    logAttempt(options.log, task, answer)
    if (buckets.length > 0) options.onReady(buckets)
  }
}

async function settle(
  options: ResendOptions,
  sql: Sql,
  task: VendorTask,
  answer: VendorAnswer<VendorOrder | null>,
): Promise<number[]> {
  const again = againOf(task.id)
  const opened = await openLane(sql, options.sealer, again.backgroundCheckId)
  const toRepeat = passing(task, answer)
  if (toRepeat !== null) {
    await putOff(sql, task, unambiguous(toRepeat), options.random)
    return []
  }
  if (!(await finishTask(sql, task))) return []
  const said = opened.kind === 'open' ? lastSaid(again, opened.order, opened.known) : null
  if (opened.kind !== 'open' || said?.kind !== 'found') return drop(sql, again.backgroundCheckId)
  const vendorOrder = answer.kind === 'ok' ? answer.value : null
  const buckets = await putAgain(sql, opened, said, vendorOrder)
  return [...buckets, ...(vendorOrder === null ? [] : await refresh(options, sql, opened, vendorOrder))]
}

/** The order was canceled or erased, or its result went out, between the operator's word and the vendor's answer. */
async function drop(sql: Sql, backgroundCheckId: string): Promise<number[]> {
  await addToTimeline(sql, [{ backgroundCheckId, kind: 'resend_dropped' }])
  return []
}

/** Behind all stages that wait, and before a result or cancel that waits. What died of it before is replaced. */
async function putAgain(sql: Sql, opened: Open, said: Found, vendorOrder: VendorOrder | null): Promise<number[]> {
  const { lane, known } = opened
  const { backgroundCheckId } = lane
  const { copy, notes } = copyOf(said, known, vendorOrder)
  const waiting = known.filter((each) => each.state === 'pending' && !each.attempted)
  const stages = waiting.filter((each) => each.content.api === 'update_progress')
  const ends = waiting.filter((each) => each.content.api !== 'update_progress')
  const dead = said.all.filter((each) => each.state === 'dead').map((each) => each.id)
  await supersedeReplaced(sql, laneOfOrder(backgroundCheckId), dead)
  await forgetAttention(sql, backgroundCheckId)
  const all = copy.api === 'update_progress' ? [...stages, { content: copy }, ...ends] : [...waiting, { content: copy }]
  const buckets = await putWaiting(sql, lane, all, Date.now())
  const detail = {
    api: copy.api,
    ...(copy.api === 'update_progress' && { stage_id: copy.body.stage_id }),
    ...(said.stageId !== undefined && { resends: said.stageId }),
  }
  const told: TimelineNote[] = [{ kind: 'resent', detail }, ...notes]
  await addToTimeline(
    sql,
    told.map((note) => ({ backgroundCheckId, ...note })),
  )
  return buckets
}

interface Copy {
  copy: OrderBody
  notes: TimelineNote[]
}

/** What the vendor says of it now, else what was sent last; a stage under a new `stage_id`, later than all others. */
function copyOf(said: Found, known: readonly KnownDelivery[], vendorOrder: VendorOrder | null): Copy {
  const { last, stageId } = said
  const now = vendorOrder && vendorSays(said, known, vendorOrder)
  const content = now?.copy ?? last.content
  const notes = contentOf(content.body) === contentOf(last.content.body) ? [] : (now?.notes ?? [])
  if (content.api !== 'update_progress' || stageId === undefined) return { copy: content, notes }
  const named = (vendorOrder?.stages ?? []).map((stage) => stageIdOf(stage.id))
  const sent = known.filter((each) => each.attempted || each.state === 'pending')
  const body = {
    ...content.body,
    stage_id: freeStageId(stageId, known, named),
    stage_time: String(stageTimeAfter(sent)),
  }
  return { copy: { api: 'update_progress', body }, notes }
}

/** In the words of the order's answer, at the time of what was sent last; `null` where they do not speak of it. */
function vendorSays({ last, stageId }: Found, known: readonly KnownDelivery[], vendor: VendorOrder): Copy | null {
  const { content } = last
  const id = content.body.background_check_id
  if (vendor.backgroundCheckId !== undefined && vendor.backgroundCheckId !== id) return null
  if (content.api === 'update_result') {
    if (vendor.status !== 'completed' || vendor.result === undefined) return null
    const { body, notes } = resultOf(id, vendor.result, resultTimeOf(content))
    return { copy: { api: 'update_result', body }, notes }
  }
  const stage = vendor.stages.find((each) => stageIdIn(known, each.id) === stageId)
  if (content.api !== 'update_progress' || stage === undefined) return null
  const { body, notes } = progressOf(id, stage, stageTimeOf(content))
  return { copy: { api: 'update_progress', body: { ...body, stage_id: content.body.stage_id } }, notes }
}

/** The vendor's words of now are those of the copy; they also say whether another change is still unsent. */
async function refresh(
  { sealer }: Pick<ResendOptions, 'sealer'>,
  sql: Sql,
  { lane: { backgroundCheckId: id } }: Open,
  vendorOrder: VendorOrder,
): Promise<number[]> {
  await sql.query(
    `UPDATE orders SET attention = array_remove(attention, 'changed_after_sent'), updated_at = now() WHERE background_check_id = $1`,
    [id],
  )
  // A poll or the feed may have written down something newer since it was read: then a poll has to say again.
  const isPolled = await pollAfresh(sql, id)
  const reading = { mayRecord: async () => true, isLatest: !isPolled }
  const recorded = await recordVendorOrder(sql, sealer, id, vendorOrder, Date.now(), reading)
  return recorded?.buckets ?? []
}

/** Sending again crashed too often; an operator may ask for it once more. */
export async function giveUpResending(sql: Sql, task: VendorTask): Promise<void> {
  const { backgroundCheckId } = againOf(task.id)
  await lockOrder(sql, backgroundCheckId)
  if (await finishTask(sql, task)) await drop(sql, backgroundCheckId)
}
