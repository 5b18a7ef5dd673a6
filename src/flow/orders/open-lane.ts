import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { laneOfOrder } from '../map.js'
import { lockLane } from '../outbox/lanes.js'
import { type OrderLane, readLane } from '../outbox/put.js'
import { noResult } from '../outbox/takes-no-more.js'
import { keyOfOrder } from './keys.js'
import { type KnownDelivery, ownStageId, type SeenDelivery, stageTimeOf } from './known-delivery.js'
import { type LockedOrder, lockOrder } from './receive.js'
import { withResends } from './resends.js'
import { hashedStageId, stageIdOf } from './stages.js'

export type OpenedLane =
  | { kind: 'open'; order: LockedOrder; lane: OrderLane; known: KnownDelivery[] }
  | { kind: 'unknown' | 'ended' | 'erased' }

/** An order that an operator wants to change in Feishu, with its lane: both locked, its deliveries in their order. */
export async function openLane(
  sql: Sql,
  sealer: Sealer,
  id: string,
  ends: readonly string[] = noResult,
): Promise<OpenedLane> {
  // No lane is made for an id that nobody knows.
  const seen = await sql.query('SELECT 1 FROM orders WHERE background_check_id = $1', [id])
  if (seen.rowCount === 0) return { kind: 'unknown' }
  const state = await lockLane(sql, laneOfOrder(id))
  const order = await lockOrder(sql, id)
  if (order === null) return { kind: 'unknown' }
  if (order.data_key === null) return { kind: 'erased' }
  if (ends.includes(order.state)) return { kind: 'ended' }
  const key = keyOfOrder(sealer, id, order.data_key)
  const lane: OrderLane = { backgroundCheckId: id, appId: order.app_id, tenantKey: order.tenant_key, key, state }
  return { kind: 'open', order, lane, known: await withResends(sql, id, await readLane(sql, lane)) }
}

/** A cancel is on its way to Feishu, the vendor's or an operator's. */
export function isCancelComing(known: readonly SeenDelivery[]): boolean {
  return known.some(({ content, state }) => content.api === 'cancel' && (state === 'pending' || state === 'sending'))
}

/** Later than the times of all these. */
export function stageTimeAfter(known: readonly KnownDelivery[]): number {
  return Math.max(0, ...known.map(({ content }) => stageTimeOf(content))) + 1
}

/** What the order knows a stage of the vendor by: an id that a resend took before the vendor named it stays the resend's. */
export function stageIdIn(known: readonly KnownDelivery[], vendorId: string): string {
  const id = stageIdOf(vendorId)
  return known.some((each) => each.standsFor !== undefined && ownStageId(each) === id) ? hashedStageId(vendorId) : id
}

/** `base` with the next number behind it that no stage of the order has; Feishu takes 36 characters. */
export function freeStageId(base: string, known: readonly KnownDelivery[], others: readonly string[] = []): string {
  const used = new Set([...others, ...known.map(ownStageId)])
  for (let next = 2; ; next += 1) {
    const suffix = `-${next}`
    const id = `${base.slice(0, 36 - suffix.length)}${suffix}`
    if (!used.has(id)) return id
  }
}
