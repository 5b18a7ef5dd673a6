import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { inSpan } from '../../platform/tracing/spans.js'
import { noteVendorOrder } from '../findings.js'
import type { UnreadableEntry, VendorOrder } from '../vendor/adapter.js'
import type { FeedLease } from '../vendor/follow.js'
import { pollOnceMore } from './poll-over.js'
import { fingerprintOf, recordVendorOrder, unlikeAny } from './record.js'
import type { PollTerms } from './schedule.js'

/** What it takes to write down what a page of the feed says. */
export interface FeedRecordOptions {
  database: Database
  sealer: Sealer
  log: Logger
  terms: PollTerms
  onReady: (buckets: readonly number[]) => void
  onFailure?: (name: string) => void
}

/** The row of `vendor_feeds`. */
export const feedName = 'orders'

/** One order that cannot be written down must not stop the feed: it is polled by itself. */
export async function recordAlone(
  options: FeedRecordOptions,
  lease: FeedLease,
  order: VendorOrder,
  known: readonly KnownOrder[] | undefined,
): Promise<void> {
  try {
    await recordChange(options, lease, order, known)
  } catch (failure) {
    options.onFailure?.('feed-order')
    options.log.error(
      { event: 'feed.order_failed', vendor_order_id: order.orderId, err: failure },
      'a change was not taken',
    )
    await pollSoon(options, order.orderId)
  }
}

/** What a page says of an order cannot be read: its own poll tells whether the order's answer can, and flags it if not. */
export async function passOver(options: FeedRecordOptions, { id, complaint }: UnreadableEntry): Promise<void> {
  options.onFailure?.('feed-order')
  options.log.warn(
    { event: 'feed.order_unreadable', vendor_order_id: id, complaint },
    'an entry of the feed cannot be read',
  )
  if (id !== null) await pollSoon(options, id)
}

async function pollSoon({ database }: FeedRecordOptions, vendorOrderId: string): Promise<void> {
  const text = `UPDATE poll_schedule s SET due_at = now(), claimed = false, fingerprint = NULL FROM orders o
    WHERE o.vendor_order_id = $1 AND s.background_check_id = o.background_check_id`
  await database.pool.query(text, [vendorOrderId])
  const known = (await readKnown(database, [vendorOrderId])).get(vendorOrderId) ?? []
  for (const { background_check_id: id } of known) await pollOnceMore(database.pool, id)
}

interface KnownOrder {
  vendor_order_id: string
  background_check_id: string
  trace_parent: string | null
}

/** Our orders by their numbers at the vendor: a page is asked for at once. */
export async function readKnown({ pool }: Database, orderIds: readonly string[]): Promise<Map<string, KnownOrder[]>> {
  const text = `SELECT vendor_order_id, background_check_id, trace_parent FROM orders WHERE vendor_order_id = ANY($1)`
  const found = await pool.query<KnownOrder>(text, [orderIds])
  const byNumber = new Map<string, KnownOrder[]>()
  for (const row of found.rows) byNumber.set(row.vendor_order_id, [...(byNumber.get(row.vendor_order_id) ?? []), row])
  return byNumber
}

async function recordChange(
  options: FeedRecordOptions,
  lease: FeedLease,
  order: VendorOrder,
  knownOfPage: readonly KnownOrder[] | undefined,
): Promise<void> {
  // It may have got its number since the page was asked for.
  const known = knownOfPage ?? (await readKnown(options.database, [order.orderId])).get(order.orderId) ?? []
  for (const { background_check_id: id, trace_parent: parent } of known) {
    const record = () => options.database.transaction((sql) => recordFor(options, sql, lease, id, order))
    const attributes = { 'bgc.background_check_id': id }
    const buckets = await inSpan('change in feed', { kind: 'consumer', parent, attributes }, record)
    if (buckets.length > 0) options.onReady(buckets)
  }
  if (known.length === 0) await noteUnknown(options, order)
}

/** A check of Feishu's that only the vendor knows; its other orders are none of ours. */
async function noteUnknown(
  { database }: FeedRecordOptions,
  { orderId, backgroundCheckId = '' }: VendorOrder,
): Promise<void> {
  if (/^[0-9]{1,32}$/.test(backgroundCheckId)) await noteVendorOrder(database.pool, backgroundCheckId, orderId)
}

async function recordFor(
  options: FeedRecordOptions,
  sql: Sql,
  lease: FeedLease,
  id: string,
  order: VendorOrder,
): Promise<number[]> {
  let isOurs = false
  const mayRecord = async (locked: Sql) => {
    isOurs = await holdsFeed(locked, lease)
    return isOurs
  }
  const reading = { mayRecord, isLatest: false }
  const recorded = await recordVendorOrder(sql, options.sealer, id, order, Date.now(), reading)
  if (recorded === null) {
    // While the page waited, a poll may have read and recorded a newer state: a new poll tells which one holds. One that is
    // under way may have read as early as the page did, so its fence ends, unless the feed went to another process.
    const isPolled = await sql.query(
      `UPDATE poll_schedule SET due_at = now(), claimed = false, fingerprint = NULL, fence = fence + $2::int WHERE background_check_id = $1`,
      [id, isOurs ? 1 : 0],
    )
    if (isOurs && isPolled.rowCount === 0) await pollOnceMore(sql, id)
    return []
  }
  if (recorded.ended) {
    await sql.query('DELETE FROM poll_schedule WHERE background_check_id = $1', [id])
  } else if (recorded.readAgain) {
    await overtakePolls(sql, id, unlikeAny, options.terms.minMs)
    await pollOnceMore(sql, id)
  } else {
    await overtakePolls(sql, id, fingerprintOf(order), options.terms.maxMs)
  }
  return recorded.buckets
}

async function holdsFeed(sql: Sql, lease: FeedLease): Promise<boolean> {
  const text = 'SELECT 1 FROM vendor_feeds WHERE name = $1 AND fence = $2 FOR SHARE'
  return (await sql.query({ name: 'holds-feed', text, values: [feedName, lease.fence] })).rowCount === 1
}

/**
 * Ends the fence of a poll in flight, which may have read an older state. If it found a change, it waits for the lane, and
 * then sees that its fence is over; if not, it writes only when to ask again, and that is overwritten or comes too late.
 */
async function overtakePolls(sql: Sql, id: string, fingerprint: Buffer, inMs: number): Promise<void> {
  await sql.query(
    `UPDATE poll_schedule SET fence = fence + 1, claimed = false, nudged = false, fingerprint = $2, interval_ms = $3::int,
       due_at = now() + $3::int * interval '1 ms' WHERE background_check_id = $1`,
    [id, fingerprint, inMs],
  )
}
