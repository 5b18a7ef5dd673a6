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
      const known = await readKnown(database, [...new Set(orders.map((order) => order.orderId))])
      await forEachAtOnce(
        groupBy(orders, (order) => order.orderId),
        ordersAtOnce,
        async (states) => {
          for (const order of states) await recordAlone(options, lease, order, known.get(order.orderId))
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
async function recordAlone(
  options: FeedOptions,
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

interface KnownOrder {
  vendor_order_id: string
  background_check_id: string
  trace_parent: string | null
}

/** Our orders by their numbers at the vendor: a page is asked for at once. */
async function readKnown({ pool }: Database, orderIds: readonly string[]): Promise<Map<string, KnownOrder[]>> {
  const text = `SELECT vendor_order_id, background_check_id, trace_parent FROM orders WHERE vendor_order_id = ANY($1)`
  const found = await pool.query<KnownOrder>(text, [orderIds])
  const byNumber = new Map<string, KnownOrder[]>()
  for (const row of found.rows) byNumber.set(row.vendor_order_id, [...(byNumber.get(row.vendor_order_id) ?? []), row])
  return byNumber
}

async function recordChange(
  options: FeedOptions,
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
  let isOurs = false
  const mayRecord = async (locked: Sql) => {
    isOurs = await holdsFeed(locked, lease)
    return isOurs
  }
  // A page may wait for its turn while a poll reads the order and is written down first: then a poll has to say again.
  const recorded = await recordVendorOrder(sql, options.sealer, id, order, Date.now(), mayRecord, false)
  if (recorded === null) {
    await sql.query(
      `UPDATE poll_schedule SET due_at = now(), claimed = false, fingerprint = NULL, fence = fence + $2::int WHERE background_check_id = $1`,
      [id, isOurs ? 1 : 0],
    )
    return []
  }
  if (recorded.ended) {
    await sql.query('DELETE FROM poll_schedule WHERE background_check_id = $1', [id])
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
 * A poll of the same order that is under way may have read an older state: its fence ends here. It has waited for the lane
 * since before, or has nothing to write but when to ask again, which is overwritten.
 */
async function overtakePolls(sql: Sql, id: string, fingerprint: Buffer, inMs: number): Promise<void> {
  await sql.query(
    `UPDATE poll_schedule SET fence = fence + 1, claimed = false, nudged = false, fingerprint = $2, interval_ms = $3::int,
       due_at = now() + $3::int * interval '1 ms' WHERE background_check_id = $1`,
    [id, fingerprint, inMs],
  )
}
