import type { Sql } from '../../platform/database/database.js'
import { forgetLane, isArchived } from '../archived.js'
import { type AuditEntry, addToAudit } from '../audit.js'
import { laneOfOrder } from '../map.js'
import { closeLane, lockLane, lockLaneIfFree } from '../outbox/lanes.js'
import { supersedeErased } from '../outbox/supersede.js'
import { addToTimeline } from '../timeline.js'
import { destroy, isKnown, leaveTombstone, lockKeptEvents, lockToErase, type OrderToErase } from './destroy.js'

/**
 * The room `personal-data`: what is held about a person is found, exported and erased here.
 *
 * Erasure destroys the order's data key and everything that it sealed, in one transaction with its entry in the audit.
 * What is left is a tombstone of ids, states and times, which no event, poll, feed, import or operator fills again. A
 * call that is under way at that moment may end; what it brings back finds no key, and is not kept.
 *
 * Locks go kept events, lane, order, task: who processes an event holds it before it takes the order.
 */
export type Erased =
  /** `again`: it was erased before, and nothing was left to destroy. */
  | { kind: 'erased'; again: boolean }
  /** Nothing was changed: the order has not ended, and nobody said that it ends here. */
  | { kind: 'open'; state: string }
  | { kind: 'unknown' }

export type Who = Pick<AuditEntry, 'actor' | 'via' | 'address'>

/** `failed` is none: an operator can still lead an order out of it, which takes what would be erased. */
const ends: readonly string[] = ['completed', 'canceled']

/** Erases what an operator names. `force` ends an open order here; neither Feishu nor the vendor is told. */
export async function eraseOrder(
  sql: Sql,
  backgroundCheckId: string,
  { force, who }: { force: boolean; who: Who },
): Promise<Erased> {
  const kept = await lockKeptEvents(sql, backgroundCheckId)
  // No lane is made for an id that nobody knows.
  if (!(await isKnown(sql, backgroundCheckId))) {
    if (await isArchived(sql, backgroundCheckId)) return eraseArchived(sql, backgroundCheckId, who)
    if (!(await leaveTombstone(sql, backgroundCheckId, kept))) return { kind: 'unknown' }
  }
  await lockLane(sql, laneOfOrder(backgroundCheckId))
  const order = await lockToErase(sql, backgroundCheckId)
  // It was archived since the look above.
  if (order === null) {
    await forgetLane(sql, backgroundCheckId)
    return eraseArchived(sql, backgroundCheckId, who)
  }
  if (!force && order.erased_at === null && !ends.includes(order.state)) {
    await audit(sql, order, who, 'refused', order.state)
    return { kind: 'open', state: order.state }
  }
  await erase(sql, order, who, who.via)
  return { kind: 'erased', again: order.erased_at !== null }
}

/** Only what is erased is archived. */
async function eraseArchived(sql: Sql, backgroundCheckId: string, who: Who): Promise<Erased> {
  const archived = { erased: true, archived: true }
  const entry = { action: 'orders.erase', subject: `order:${backgroundCheckId}`, outcome: 'done' } as const
  await addToAudit(sql, [{ ...who, ...entry, before: archived, after: archived }])
  return { kind: 'erased', again: true }
}

/**
 * Erases an order that did not change since `before`, wherever it stands; an open one ends here. False: it changed or was
 * erased meanwhile, or somebody works on it right now.
 */
export async function eraseUnchanged(sql: Sql, backgroundCheckId: string, before: Date): Promise<boolean> {
  await lockKeptEvents(sql, backgroundCheckId)
  if (!(await lockLaneIfFree(sql, laneOfOrder(backgroundCheckId)))) return false
  const order = await lockToErase(sql, backgroundCheckId)
  if (order === null || order.erased_at !== null || order.updated_at >= before) return false
  await erase(sql, order, { actor: 'bgc-bridge', via: 'service' }, 'retention')
  return true
}

/** The caller holds the lane and the order. */
async function erase(sql: Sql, order: OrderToErase, who: Who, by: string): Promise<void> {
  const { background_check_id: backgroundCheckId, state, erased_at } = order
  const endsHere = erased_at === null && !ends.includes(state)
  const becomes = endsHere ? 'canceled' : state
  await supersedeErased(sql, laneOfOrder(backgroundCheckId))
  if (endsHere) await closeLane(sql, laneOfOrder(backgroundCheckId), 'erasure')
  await destroy(sql, backgroundCheckId, becomes)
  await audit(sql, order, who, 'done', becomes)
  if (erased_at !== null) return
  const detail = { by, was: state, ended_here: endsHere }
  await addToTimeline(sql, [{ backgroundCheckId, kind: 'erased', detail }])
}

async function audit(
  sql: Sql,
  { background_check_id, state, erased_at }: OrderToErase,
  who: Who,
  outcome: 'done' | 'refused',
  becomes: string,
): Promise<void> {
  const subject = `order:${background_check_id}`
  const before = { state, erased: erased_at !== null }
  const after = { state: becomes, erased: outcome === 'done' || erased_at !== null }
  await addToAudit(sql, [{ ...who, action: 'orders.erase', subject, outcome, before, after }])
}

/** Orders that were erased since a moment, oldest first: to be kept outside of backups, which do not know of it. */
export async function listErased(
  sql: Sql,
  since: Date | null,
): Promise<Array<{ backgroundCheckId: string; erasedAt: Date }>> {
  const found = await sql.query<{ background_check_id: string; erased_at: Date }>(
    `SELECT background_check_id, erased_at FROM orders
     WHERE erased_at IS NOT NULL AND ($1::timestamptz IS NULL OR erased_at >= $1)
     ORDER BY erased_at, background_check_id`,
    [since],
  )
  return found.rows.map((row) => ({ backgroundCheckId: row.background_check_id, erasedAt: row.erased_at }))
}
