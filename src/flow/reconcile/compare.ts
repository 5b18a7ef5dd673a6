import type { FindingKind } from '../findings.js'
import type { OrderBody, OrderState } from '../map.js'
import { type FeishuOrder, isInFeishu, orderStatus } from '../to-feishu/order-reads.js'

/** A delivery that Feishu had an attempt of, as it stands here. */
export interface OurDelivery {
  id: string
  content: OrderBody
  /** `confirmed`, `inferred`: delivered; `lost`: dead, and nobody knows whether it took effect; `open`: may still be tried. */
  is: 'confirmed' | 'inferred' | 'lost' | 'dead' | 'open'
  /** It settled well before Feishu was asked: what the answer lacks, it lacks. */
  rested: boolean
}

export interface OurOrder {
  state: OrderState
  /** Nothing changed here shortly before Feishu was asked. */
  rested: boolean
  /** In the order of the lane. */
  deliveries: readonly OurDelivery[]
  /** What was sent cannot be read: it was erased, or no key opens it. Only Feishu's status is followed then. */
  opaque?: 'erased' | 'closed'
  /** The database was just restored: what Feishu has beyond it is about to be found again at the vendor. */
  catchingUp?: boolean
}

/** A difference of one order. */
export interface Difference {
  kind: FindingKind
  /** The delivery that it is about. */
  subject?: string
  detail: Record<string, string | number>
}

export interface Comparison {
  /** Deliveries that Feishu has after all. */
  confirm: string[]
  /** The delivery that may be sent again by itself; `differences` has it, too. */
  revive: Difference | null
  /** What Feishu says that became of the order: it was stopped, its result was approved, or waits for an approval. */
  turn: 'canceled' | 'approved' | 'held' | null
  differences: Difference[]
  /** Kinds that could not be judged this time. */
  undecided: FindingKind[]
}

const notInFeishu = {
  update_progress: 'stage_not_in_feishu',
  update_result: 'result_not_in_feishu',
  cancel: 'cancel_not_in_feishu',
} as const satisfies Record<OrderBody['api'], FindingKind>

const ofDeliveries: FindingKind[] = Object.values(notInFeishu)
const ofOrders: FindingKind[] = ['terminated_in_feishu', 'completed_in_feishu', 'open_in_feishu', 'result_not_approved']

/**
 * One order here and in Feishu: what is confirmed, what is mended, what is listed. Pure. `certain`: Feishu's events about
 * its last change there would have come by now (contract §2).
 */
export function compareOrder(order: OurOrder, theirs: FeishuOrder, certain: boolean): Comparison {
  const ours = { ...order, deliveries: withoutResent(order.deliveries) }
  const isThere = (each: OurDelivery) => isInFeishu(theirs, each.content)
  const confirm = ours.deliveries.filter((each) => isDoubted(each) && isThere(each)).map((each) => each.id)
  const absent = ours.deliveries.filter((each) => isExpected(each) && !isThere(each))
  const missing = absent.filter((each) => speaks(ours, theirs, each))
  const differences = missing.map(asMissing)
  const judgesOrder = certain && ours.rested && theirs.status !== null
  const turn = judgesOrder ? turnOf(ours, theirs, confirm) : null
  const judgesResult = judgesOrder && turn === null && ours.opaque === undefined
  const ofOrder = judgesResult ? differenceOf(ours, theirs, confirm) : null
  const again = turn === null ? revivable(order, theirs, missing) : null
  return {
    confirm,
    turn,
    revive: again && asMissing(again),
    differences: ofOrder === null ? differences : [...differences, ofOrder],
    undecided: [...(judgesOrder ? [] : ofOrders), ...undecidedOf(ours, theirs, absent, missing)],
  }
}

/** Feishu's list tells that there is a result, not which: it says nothing about one that was sent again behind another. */
function withoutResent(deliveries: readonly OurDelivery[]): readonly OurDelivery[] {
  const first = deliveries.findIndex(isAcceptedResult)
  return deliveries.filter(
    (each, index) => first < 0 || index <= first || each.content.api !== 'update_result' || !isDoubted(each),
  )
}

/** An attempt of which nobody knows for sure whether Feishu took it. */
function isDoubted({ is }: OurDelivery): boolean {
  return is === 'inferred' || is === 'lost'
}

function isExpected(each: OurDelivery): boolean {
  return each.rested && (isDoubted(each) || each.is === 'confirmed')
}

/**
 * Whether Feishu's list, since it lacks a delivery, says that Feishu does. A list that shows none of the stages that
 * Feishu confirmed writes names or times in another way. A result that waits for an approval may not show yet, and what
 * else a status says about it is not documented (contract §3.4).
 */
function speaks(ours: OurOrder, theirs: FeishuOrder, { content }: OurDelivery): boolean {
  if (content.api !== 'update_progress') return theirs.status === orderStatus.arranged
  const confirmed = ours.deliveries.filter((each) => each.is === 'confirmed' && each.content.api === 'update_progress')
  return confirmed.length === 0 || confirmed.some((each) => isInFeishu(theirs, each.content))
}

function undecidedOf(
  ours: OurOrder,
  { status }: FeishuOrder,
  absent: readonly OurDelivery[],
  missing: readonly OurDelivery[],
): FindingKind[] {
  if (ours.opaque === 'closed') return [...ofDeliveries, ...ofOrders]
  if (!ours.deliveries.every((each) => each.rested)) return ofDeliveries
  // A check that is over takes nothing more, whatever it lacks.
  if (status === orderStatus.completed || status === orderStatus.terminated) return []
  return absent.filter((each) => !missing.includes(each)).map(({ content }) => notInFeishu[content.api])
}

function asMissing({ id, is, content }: OurDelivery): Difference {
  const stage = content.api === 'update_progress' ? { stage_id: content.body.stage_id } : {}
  return { kind: notInFeishu[content.api], subject: id, detail: { delivery_id: id, ...stage, was: is } }
}

function turnOf(
  { state, deliveries, opaque }: OurOrder,
  { status }: FeishuOrder,
  confirm: string[],
): Comparison['turn'] {
  const byUs = deliveries.some((each) => each.content.api === 'cancel' && confirm.includes(each.id))
  // Feishu takes nothing more for a check that it terminated.
  if (status === orderStatus.terminated) return state === 'canceled' || byUs ? null : 'canceled'
  // Whether a result was taken is asked again where the state is written (outbox/approval.ts).
  if (opaque === undefined && !deliveries.some(isAcceptedResult)) return null
  if (status === orderStatus.completed) return state === 'reported' ? 'approved' : null
  return status === orderStatus.inApproval && state === 'completed' ? 'held' : null
}

function isAcceptedResult({ is, content }: OurDelivery): boolean {
  return content.api === 'update_result' && (is === 'confirmed' || is === 'inferred')
}

function differenceOf(
  { state, deliveries, catchingUp }: OurOrder,
  { status }: FeishuOrder,
  confirm: string[],
): Difference | null {
  const found = (kind: FindingKind): Difference => ({ kind, detail: { order_status: Number(status), state } })
  const hasResult = deliveries.some(
    (each) => isAcceptedResult(each) || (each.content.api === 'update_result' && confirm.includes(each.id)),
  )
  const underWay = deliveries.some((each) => each.content.api === 'update_result' && each.is === 'open')
  if (status === orderStatus.completed)
    return state === 'completed' || hasResult || underWay || catchingUp ? null : found('completed_in_feishu')
  const undone = status === orderStatus.notApproved || status === orderStatus.approvalWithdrawn
  if (undone) return hasResult ? found('result_not_approved') : null
  const saidCancel = deliveries.some((each) => each.content.api === 'cancel' && isExpected(each))
  return status === orderStatus.arranged && state === 'canceled' && !saidCancel ? found('open_in_feishu') : null
}

/** The last thing that was sent, when Feishu lacks it for sure, still takes it, and never said that it had it. */
function revivable(ours: OurOrder, theirs: FeishuOrder, missing: readonly OurDelivery[]): OurDelivery | null {
  const last = ours.deliveries.at(-1)
  if (last === undefined || !isDoubted(last) || !missing.includes(last)) return null
  if (theirs.status !== orderStatus.arranged || last.content.api === 'cancel' || !ours.rested) return null
  if (ours.state === 'canceled' || ours.state === 'failed') return null
  return ours.state === 'completed' && last.content.api !== 'update_result' ? null : last
}
