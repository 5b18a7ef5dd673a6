import { createHash } from 'node:crypto'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { laneOfOrder, type OrderState } from '../map.js'
import { lockLane } from '../outbox/lanes.js'
import { type OrderLane, putWaiting, readLane, relink, withdraw } from '../outbox/put.js'
import { addToTimeline } from '../timeline.js'
import type { VendorOrder } from '../vendor/adapter.js'
import { diffOrder } from './diff.js'
import type { Attention } from './difference.js'
import { keyOfOrder } from './keys.js'
import { lockOrder } from './receive.js'
import { withResends } from './resends.js'

export const openStates: readonly string[] = ['received', 'ordered', 'in_progress', 'reported'] satisfies OrderState[]

/** The vendor tells about another check under this order's number: nobody may get somebody else's result. */
async function refuseForeign(sql: Sql, id: string): Promise<Recorded> {
  if (await flagOrder(sql, id, 'foreign_order')) {
    await addToTimeline(sql, [{ backgroundCheckId: id, kind: 'foreign_order' }])
  }
  return { buckets: [], ended: false }
}

/** What the vendor said about an order, as 24 bytes: 16 over the content, 8 over the report links. */
export function fingerprintOf(order: VendorOrder): Buffer {
  const links: string[] = []
  const content = JSON.stringify(order, (key, value: unknown) => {
    if (key !== 'url') return value
    links.push(String(value))
    return undefined
  })
  const hash = (text: string, bytes: number) => createHash('sha256').update(text).digest().subarray(0, bytes)
  return Buffer.concat([hash(content, 16), hash(JSON.stringify(links), 8)])
}

export function sameContent(one: Buffer | null, other: Buffer): boolean {
  return one?.subarray(0, 16).equals(other.subarray(0, 16)) ?? false
}

/**
 * Whether what was read from the vendor may still be written down, asked under the locks of lane and order: whoever read
 * it earlier and comes later must not undo the newer.
 */
export type MayRecord = (sql: Sql) => Promise<boolean>

export interface Recorded {
  /** Buckets that got something to do. */
  buckets: number[]
  /** The order is over: it is not polled any more. */
  ended: boolean
}

/**
 * Writes what the vendor says about an order: new and changed deliveries, state, timeline. In one transaction; `null`
 * when somebody wrote down something newer.
 */
export async function recordVendorOrder(
  sql: Sql,
  sealer: Sealer,
  id: string,
  vendor: VendorOrder,
  now: number,
  mayRecord: MayRecord,
): Promise<Recorded | null> {
  const state = await lockLane(sql, laneOfOrder(id))
  const order = await lockOrder(sql, id)
  if (!(await mayRecord(sql))) return null
  if (order === null || order.data_key === null) return { buckets: [], ended: true }
  // What an operator stopped stays stopped, whatever comes of it at the vendor.
  if (order.state === 'canceled' || state.closedBy !== null) return { buckets: [], ended: true }
  if (vendor.backgroundCheckId !== undefined && vendor.backgroundCheckId !== id) return refuseForeign(sql, id)
  const key = keyOfOrder(sealer, id, order.data_key)
  const lane: OrderLane = { backgroundCheckId: id, appId: order.app_id, tenantKey: order.tenant_key, key, state }
  const difference = diffOrder(id, await withResends(sql, id, await readLane(sql, lane)), vendor, now)
  await withdraw(sql, difference.withdrawn)
  await relink(sql, lane, difference.relinked)
  const buckets = await putWaiting(sql, lane, difference.waiting, now)
  await setOrder(sql, id, openStates.includes(order.state) ? difference.state : null, difference.attention)
  await addToTimeline(
    sql,
    difference.notes.map((note) => ({ backgroundCheckId: id, ...note })),
  )
  return { buckets, ended: !openStates.includes(order.state) }
}

async function setOrder(
  sql: Sql,
  id: string,
  state: OrderState | null,
  attention: readonly Attention[],
): Promise<void> {
  await sql.query(
    `UPDATE orders o SET state = coalesce($2, o.state), attention = w.attention, updated_at = now()
     FROM (SELECT ARRAY(SELECT DISTINCT a FROM unnest(attention || $3::text[]) a
                        WHERE NOT a = ANY($4) OR a = ANY($3) ORDER BY 1) AS attention
           FROM orders WHERE background_check_id = $1) w
     WHERE o.background_check_id = $1 AND (o.state IS DISTINCT FROM coalesce($2, o.state) OR o.attention <> w.attention)`,
    [id, state, attention, flagsOfPolls],
  )
}

/** Flags that the next answer of the vendor takes away: it has to be read, also when it says nothing new. */
const flagsOfPolls: readonly Attention[] = ['poll_refused', 'unknown_to_vendor', 'foreign_order']

/** True when the flag is new. */
export async function flagOrder(sql: Sql, id: string, attention: Attention): Promise<boolean> {
  const flagged = await sql.query(
    `UPDATE orders SET attention = array_append(attention, $2::text), updated_at = now()
     WHERE background_check_id = $1 AND NOT attention @> ARRAY[$2::text]`,
    [id, attention],
  )
  if (flagged.rowCount === 1)
    await sql.query('UPDATE poll_schedule SET fingerprint = NULL WHERE background_check_id = $1', [id])
  return flagged.rowCount === 1
}
