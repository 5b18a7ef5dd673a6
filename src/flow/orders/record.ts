import { createHash } from 'node:crypto'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { laneOfOrder, type OrderState } from '../map.js'
import { lockLane } from '../outbox/lanes.js'
import { type OrderLane, putWaiting, readLane, relink, withdraw } from '../outbox/put.js'
import { forgetAttention } from '../outbox/revive.js'
import { supersedeReplaced } from '../outbox/supersede.js'
import { addToTimeline, type TimelineNote } from '../timeline.js'
import type { VendorOrder } from '../vendor/adapter.js'
import { diffOrder } from './diff.js'
import type { Attention, Difference } from './difference.js'
import { keyOfOrder } from './keys.js'
import type { KnownDelivery } from './known-delivery.js'
import { namesLess } from './names-less.js'
import { lockIfOver } from './poll-over.js'
import { lockOrder } from './receive.js'
import { withResends } from './resends.js'

export const openStates: readonly string[] = ['received', 'ordered', 'in_progress', 'reported'] satisfies OrderState[]

/** The vendor tells about another check under this order's number: nobody may get somebody else's result. */
async function refuseForeign(sql: Sql, id: string): Promise<Recorded> {
  if (await flagOrder(sql, id, 'foreign_order')) {
    await addToTimeline(sql, [{ backgroundCheckId: id, kind: 'foreign_order' }])
  }
  return { buckets: [], ended: await lockIfOver(sql, id) }
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

/** How an answer of the vendor was read. Whoever read earlier and comes later must not undo what is newer. */
export interface Reading {
  /** Whether it may still be written down, asked under the locks of lane and order. */
  mayRecord: (sql: Sql) => Promise<boolean>
  /**
   * True: whatever it lacks counts as taken back by the vendor, as under the order's poll, whose fence ends when somebody
   * records something newer. False: it may be the older one, and nothing is written if it lacks what is known, or would
   * change what waits, or differs from what was sent.
   */
  isLatest: boolean
  /** The words are those of the answer before, and only links differ: what it says without a change was noted then. */
  isRepeat?: boolean
}

export interface Recorded {
  /** Buckets that got something to do. */
  buckets: number[]
  /** The order is over: it is not polled any more. */
  ended: boolean
  /** Something of it is under way to Feishu: the same answer has to be read again soon, whatever it says. */
  readAgain?: true
}

/** In place of a fingerprint: no answer has this one, so the next one is read whatever it says. */
export const unlikeAny: Buffer = Buffer.alloc(0)

/**
 * Writes what the vendor says about an order: new and changed deliveries, state, timeline. In one transaction; `null`
 * when somebody wrote down something newer, or may have.
 */
export async function recordVendorOrder(
  sql: Sql,
  sealer: Sealer,
  id: string,
  vendor: VendorOrder,
  now: number,
  { mayRecord, isLatest, isRepeat = false }: Reading,
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
  const known = await withResends(sql, id, await readLane(sql, lane))
  if (!isLatest && namesLess(known, vendor)) return null
  const difference = diffOrder(id, known, vendor, now)
  if (!isLatest && contradicts(difference)) return null
  await withdraw(sql, difference.withdrawn)
  await dropDead(sql, id, difference.dropped)
  await relink(sql, lane, difference.relinked)
  const buckets = await putWaiting(sql, lane, difference.waiting, now)
  const becomes = openStates.includes(order.state) ? difference.state : null
  await setOrder(sql, id, { state: becomes, attention: difference.attention, isChange: saysNew(difference) })
  await addToTimeline(
    sql,
    difference.notes
      .filter(({ kind }) => !isRepeat || notesOfChange.includes(kind))
      .map((note) => ({ backgroundCheckId: id, ...note })),
  )
  const isOver = !openStates.includes(order.state) || known.some(isResultTaken)
  // What is under way of an order that is over was asked for by an operator, and still follows the vendor.
  return difference.readAgain ? { buckets, ended: false, readAgain: true } : { buckets, ended: isOver }
}

/** What waits, or was sent, may be the newer of the two. */
function contradicts({ notes }: Difference): boolean {
  return notes.some(({ kind }) => notesOfContradiction.includes(kind))
}

const notesOfContradiction: readonly TimelineNote['kind'][] = [
  'stage_replaced',
  'result_replaced',
  'stage_changed_after_sent',
  'result_changed_after_sent',
  'stage_after_end',
]

/** Also while Feishu holds it for approval. */
function isResultTaken({ content, state }: KnownDelivery): boolean {
  return content.api === 'update_result' && state === 'delivered'
}

/** Nobody shall send it again by mistake. */
async function dropDead(sql: Sql, id: string, dropped: readonly string[]): Promise<void> {
  if (dropped.length === 0) return
  await supersedeReplaced(sql, laneOfOrder(id), dropped)
  await forgetAttention(sql, id)
}

/** Notes of a stage or an end that is new or other than before. Others come with every answer that repeats itself. */
const notesOfChange: readonly TimelineNote['kind'][] = [
  'stage_seen',
  'stage_replaced',
  'result_seen',
  'result_replaced',
  'result_withdrawn',
  'vendor_stopped',
]

function saysNew({ notes }: Difference): boolean {
  return notes.some(({ kind }) => notesOfChange.includes(kind))
}

interface SetOrder {
  /** `null`: stays as it is. */
  state: OrderState | null
  attention: readonly Attention[]
  isChange: boolean
}

/** `updated_at` says when the order changed: how long data is kept goes by it, so flags that come and go do not move it. */
async function setOrder(sql: Sql, id: string, { state, attention, isChange }: SetOrder): Promise<void> {
  await sql.query({
    name: 'set-order',
    text: `UPDATE orders o SET state = coalesce($2, o.state), attention = w.attention,
       updated_at = CASE WHEN w.changed THEN now() ELSE o.updated_at END
     FROM (SELECT c.changed, ARRAY(SELECT DISTINCT a FROM unnest(c.attention || $3::text[]) a
                        WHERE (NOT a = ANY($4) AND NOT (a = 'stale' AND c.changed)) OR a = ANY($3) ORDER BY 1) AS attention
           FROM (SELECT attention, $5 OR state IS DISTINCT FROM coalesce($2, state) OR NOT attention @> $3::text[] AS changed
                 FROM orders WHERE background_check_id = $1) c) w
     WHERE o.background_check_id = $1 AND (w.changed OR o.attention <> w.attention)`,
    values: [id, state, attention, flagsOfPolls, isChange],
  })
}

/** Flags that the next answer of the vendor takes away: it has to be read, also when it says nothing new. */
const flagsOfPolls: readonly Attention[] = ['poll_refused', 'unknown_to_vendor', 'foreign_order']

/**
 * True when the flag is new. That the vendor does not tell is no change of the order, and keeps nobody's data longer; a
 * poll that was under way when the order was erased flags nothing.
 */
export async function flagOrder(sql: Sql, id: string, attention: Attention): Promise<boolean> {
  const flagged = await sql.query(
    `UPDATE orders SET attention = array_append(attention, $2::text)
     WHERE background_check_id = $1 AND NOT attention @> ARRAY[$2::text] AND erased_at IS NULL`,
    [id, attention],
  )
  if (flagged.rowCount === 1)
    await sql.query('UPDATE poll_schedule SET fingerprint = NULL WHERE background_check_id = $1', [id])
  return flagged.rowCount === 1
}
