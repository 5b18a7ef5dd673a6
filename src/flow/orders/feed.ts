import { forEachAtOnce, groupBy } from '../../platform/at-once.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import type { Loop } from '../../platform/loop.js'
import { inSpan } from '../../platform/tracing/spans.js'
import { noteVendorOrder } from '../findings.js'
import type { UnreadableEntry, VendorAdapter, VendorOrder } from '../vendor/adapter.js'
import { type FeedLease, startFollower } from '../vendor/follow.js'
import { fingerprintOf, recordVendorOrder } from './record.js'
import type { PollTerms } from './schedule.js'

export interface FeedOptions {
  database: Database
  sealer: Sealer
  vendor: VendorAdapter
  log: Logger
  terms: PollTerms
  /** Whether the vendor has a changes feed. */
  isOffered: () => boolean
  onReady: (buckets: readonly number[]) => void
  /** The feed cannot be read, or can again. */
  onBroken?: (reason: string) => Promise<void>
  onFound?: () => Promise<void>
  onFailure?: (name: string) => void
}

export interface Feed extends Loop {
  /** The feed was read to its end lately: what it names need not be polled often. */
  isFollowed: () => boolean
}

const feedName = 'orders'
const pageSize = 100
/** Each is a transaction that waits for PostgreSQL most of the time; what a page says of one order stays in its order. */
const ordersAtOnce = 4

/** Follows the feed of changed orders. */
export function startFeed(options: FeedOptions): Feed {
  const { database, log, terms, vendor, isOffered, onBroken, onFound, onFailure } = options
  const { minMs, maxMs } = terms
  const follower = startFollower<VendorOrder>({
    feed: feedName,
    name: 'vendor-feed',
    database,
    log,
    everyMs: minMs,
    isOffered,
    read: async (cursor, signal) => {
      const answer = await vendor.changes?.(cursor, pageSize, { signal })
      if (answer === undefined) return { kind: 'final', message: 'the adapter has no changes' }
      if (answer.kind !== 'ok') return answer
      const { orders: items, ...page } = answer.value
      return { kind: 'ok', value: { ...page, items } }
    },
    take: async (orders, lease) => {
      await forEachAtOnce(
        groupBy(orders, (order) => order.orderId),
        ordersAtOnce,
        async (states) => {
          for (const order of states) await recordAlone(options, lease, order)
        },
      )
    },
    passOver: async (entries) => {
      for (const entry of entries) await passOver(options, entry)
    },
    onLost: () => fallBackToPolls(options),
    ...(onBroken && { onBroken }),
    ...(onFound && { onFound }),
    ...(onFailure && { onFailure }),
  })
  return {
    wake: follower.wake,
    isFollowed: () => isOffered() && performance.now() - follower.readToEndAt() < Math.max(maxMs, 4 * minMs),
    stop: () => follower.stop(),
  }
}

/** Orders were left to the feed for up to the longest interval: a feed that cannot be read leaves them to polls, soon. */
async function fallBackToPolls({ database, log, terms }: FeedOptions): Promise<void> {
  const { rowCount } = await database.pool.query(
    `UPDATE poll_schedule SET interval_ms = $1::int, due_at = least(due_at, now() + random() * $1::int * interval '1 ms')
     WHERE NOT claimed`,
    [terms.minMs],
  )
  log.warn({ event: 'feed.fell_back', orders: rowCount }, 'the changes feed cannot be read; orders are polled')
}

/** One order that cannot be written down must not stop the feed: it is polled by itself. */
async function recordAlone(options: FeedOptions, lease: FeedLease, order: VendorOrder): Promise<void> {
  try {
    await recordChange(options, lease, order)
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
async function passOver(options: FeedOptions, { id, complaint }: UnreadableEntry): Promise<void> {
  options.onFailure?.('feed-order')
  options.log.warn(
    { event: 'feed.order_unreadable', vendor_order_id: id, complaint },
    'an entry of the feed cannot be read',
  )
  if (id !== null) await pollSoon(options, id)
}

async function pollSoon({ database }: FeedOptions, vendorOrderId: string): Promise<void> {
  const text = `UPDATE poll_schedule s SET due_at = now(), claimed = false, fingerprint = NULL FROM orders o
    WHERE o.vendor_order_id = $1 AND s.background_check_id = o.background_check_id`
  await database.pool.query(text, [vendorOrderId])
}

async function recordChange(options: FeedOptions, lease: FeedLease, order: VendorOrder): Promise<void> {
  const known = await options.database.pool.query<{ background_check_id: string; trace_parent: string | null }>(
    'SELECT background_check_id, trace_parent FROM orders WHERE vendor_order_id = $1',
    [order.orderId],
  )
  for (const { background_check_id: id, trace_parent: parent } of known.rows) {
    const record = () => options.database.transaction((sql) => recordFor(options, sql, lease, id, order))
    const attributes = { 'bgc.background_check_id': id }
    const buckets = await inSpan('change in feed', { kind: 'consumer', parent, attributes }, record)
    if (buckets.length > 0) options.onReady(buckets)
  }
  if (known.rowCount === 0) await noteUnknown(options, order)
}

/** A check of Feishu's that only the vendor knows; its other orders are none of ours. */
async function noteUnknown({ database }: FeedOptions, { orderId, backgroundCheckId = '' }: VendorOrder): Promise<void> {
  if (/^[0-9]{1,32}$/.test(backgroundCheckId)) await noteVendorOrder(database.pool, backgroundCheckId, orderId)
}

async function recordFor(
  options: FeedOptions,
  sql: Sql,
  lease: FeedLease,
  id: string,
  order: VendorOrder,
): Promise<number[]> {
  const mayRecord = (locked: Sql) => overtakePolls(locked, lease, id)
  // A page may wait for its turn while a poll reads the order and is written down first: then a poll has to say again.
  const recorded = await recordVendorOrder(sql, options.sealer, id, order, Date.now(), mayRecord, false)
  if (recorded === null) {
    await sql.query(
      `UPDATE poll_schedule SET due_at = now(), claimed = false, fingerprint = NULL WHERE background_check_id = $1`,
      [id],
    )
    return []
  }
  if (recorded.ended) {
    await sql.query('DELETE FROM poll_schedule WHERE background_check_id = $1', [id])
  } else {
    await sql.query(
      `UPDATE poll_schedule SET claimed = false, nudged = false, fingerprint = $2, interval_ms = $3::int,
         due_at = now() + $3::int * interval '1 ms' WHERE background_check_id = $1`,
      [id, fingerprintOf(order), options.terms.maxMs],
    )
  }
  return recorded.buckets
}

/** A poll of the same order that is under way may have read an older state: its fence ends here, if this feed is still ours. */
async function overtakePolls(sql: Sql, lease: FeedLease, id: string): Promise<boolean> {
  const mine = await sql.query('SELECT 1 FROM vendor_feeds WHERE name = $1 AND fence = $2 FOR SHARE', [
    feedName,
    lease.fence,
  ])
  if (mine.rowCount === 0) return false
  await sql.query('UPDATE poll_schedule SET fence = fence + 1 WHERE background_check_id = $1', [id])
  return true
}
