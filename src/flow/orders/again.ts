import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { noMore } from '../outbox/takes-no-more.js'
import { addToTimeline } from '../timeline.js'
import { isStage, type KnownDelivery, ownStageId, type SeenDelivery } from './known-delivery.js'
import { isCancelComing, type OpenedLane, openLane } from './open-lane.js'
import type { LockedOrder } from './receive.js'

/** What an operator wants to have sent again: the result of an order, or the stage of it with this `stage_id`. */
export interface Again {
  backgroundCheckId: string
  stageId: string | null
}

export const resultAgain = (backgroundCheckId: string): Again => ({ backgroundCheckId, stageId: null })

export type Wanted =
  | { kind: 'wanted' }
  | { kind: 'refused'; reason: string }
  /** No such order, or no such stage in it. */
  | { kind: 'unknown' }
  | Exclude<OpenedLane, { kind: 'open' }>

/** `resend:<background_check_id>` for the result, with `/<stage_id>` behind it for a stage: once each at a time. */
const subjectOf = ({ backgroundCheckId, stageId }: Again): string =>
  `resend:${backgroundCheckId}${stageId === null ? '' : `/${stageId}`}`

/** From what stands behind `resend:`. */
export function againOf(id: string): Again {
  const slash = id.indexOf('/')
  return slash < 0 ? resultAgain(id) : { backgroundCheckId: id.slice(0, slash), stageId: id.slice(slash + 1) }
}

/**
 * Leaves a task to ask the vendor what it says now and to send that. Polls of an order that is over have ended, so what
 * changed since is not here; and report links are taken from the vendor's latest answer.
 */
export async function wantAgain(sql: Sql, sealer: Sealer, again: Again): Promise<Wanted> {
  const opened = await openLane(sql, sealer, again.backgroundCheckId)
  if (opened.kind !== 'open') return opened
  const { order, known } = opened
  const said = lastSaid(again, order, known)
  if (said.kind !== 'found') return said
  const { backgroundCheckId } = again
  const stageId = said.stageId ?? null
  // A claim of a task before this one may still be under way: the fences of the two must not meet.
  const added = await sql.query(
    `INSERT INTO vendor_tasks (subject, action, tenant_key, fence) VALUES ($1, 'resend', $2, floor(random() * 1e9)::int)
     ON CONFLICT DO NOTHING`,
    [subjectOf({ backgroundCheckId, stageId }), order.tenant_key],
  )
  if (added.rowCount === 0) return refused('it is to be sent again already')
  const detail = stageId === null ? {} : { stage_id: stageId }
  await addToTimeline(sql, [{ backgroundCheckId, kind: 'resend_wanted', detail }])
  return { kind: 'wanted' }
}

export type LastSaid<Each extends SeenDelivery = KnownDelivery> =
  /** `stageId`: the vendor's stage, also when it was asked for by the id of a resend. */
  | { kind: 'found'; last: Each; all: Each[]; stageId?: string }
  | { kind: 'refused'; reason: string }
  | { kind: 'unknown' }

/** What was sent last of what shall be sent again, or why that cannot be: pure. */
export function lastSaid(
  { stageId }: Again,
  order: Pick<LockedOrder, 'state'>,
  known: readonly KnownDelivery[],
): LastSaid {
  return stageId === null ? lastResult(known) : lastStage(stageId, order, known)
}

/** The result that was sent last, or why none can be sent again: pure. The console offers what this finds. */
export function lastResult<Each extends SeenDelivery>(known: readonly Each[]): LastSaid<Each> {
  if (isCancelComing(known)) return beingStopped
  const all = known.filter((each) => each.content.api === 'update_result' && each.state !== 'superseded')
  return lastOf(all, 'no result was sent yet')
}

function lastStage(stageId: string, order: Pick<LockedOrder, 'state'>, known: readonly KnownDelivery[]): LastSaid {
  if (isCancelComing(known)) return beingStopped
  const asked = known.find((each) => ownStageId(each) === stageId)
  if (asked === undefined) return { kind: 'unknown' }
  // Nothing follows a result that Feishu has, or may have by the time the stage is sent.
  if (noMore.includes(order.state) || known.some(isResultOut)) return refused('no stage can follow the result')
  const original = asked.standsFor ?? stageId
  const all = known.filter((each) => isStage(each, original) && each.state !== 'superseded')
  const last = lastOf(all, 'it was not sent yet')
  return last.kind === 'found' ? { ...last, stageId: original } : last
}

function lastOf<Each extends SeenDelivery>(all: Each[], none: string): LastSaid<Each> {
  const last = all.at(-1)
  if (last === undefined) return refused(none)
  if (last.state === 'sending' || (last.state === 'pending' && last.attempted)) return refused('it is being sent')
  if (last.state === 'pending') return refused(all.length > 1 ? 'it is to be sent again already' : none)
  return { kind: 'found', last, all }
}

function isResultOut({ content, attempted, state }: KnownDelivery): boolean {
  return content.api === 'update_result' && attempted && state !== 'superseded' && state !== 'dead'
}

const beingStopped = refused('the order is being stopped')

function refused(reason: string): { kind: 'refused'; reason: string } {
  return { kind: 'refused', reason }
}
