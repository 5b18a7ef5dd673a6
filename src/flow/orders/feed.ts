import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import type { VendorAdapter, VendorOrder } from '../vendor/adapter.js'
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
  onFailure?: (name: string) => void
}

export interface Feed extends Loop {
  /** The feed was read to its end lately: what it names need not be polled often. */
  isFollowed: () => boolean
}

const name = 'orders'
const pageSize = 100
const leaseMs = 60_000
const restWithoutMs = 10_000
const failuresToFallBack = 5

/**
 * Follows the vendor's changes feed, one process at a time. The cursor moves after every order of a page was written
 * down; a page that is read twice changes nothing the second time.
 */
export function startFeed(options: FeedOptions): Feed {
  const { minMs, maxMs } = options.terms
  let readToEndAt = Number.NEGATIVE_INFINITY
  let held = -1
  let failures = 0
  const loop = startLoop({
    name: 'vendor-feed',
    everyMs: Math.min(restWithoutMs, minMs),
    log: options.log,
    ...(options.onFailure && { onFailure: options.onFailure }),
    turn: async (signal) => {
      if (!options.isOffered()) return restWithoutMs
      const lease = await takeLease(options.database, held)
      if (lease === null) {
        if (await isFollowedElsewhere(options.database, minMs)) readToEndAt = performance.now()
        return minMs
      }
      held = lease.fence
      const page = await followPage(options, lease, signal)
      if (page === 'end') readToEndAt = performance.now()
      failures = page === 'failed' ? failures + 1 : 0
      if (failures === failuresToFallBack) {
        readToEndAt = Number.NEGATIVE_INFINITY
        await fallBackToPolls(options)
      }
      return page === 'more' ? 0 : minMs
    },
  })
  return {
    wake: loop.wake,
    isFollowed: () => options.isOffered() && performance.now() - readToEndAt < Math.max(maxMs, 4 * minMs),
    stop: async () => {
      await loop.stop()
      await endLease(options.database, held)
    },
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

interface Lease {
  cursor: string | null
  fence: number
}

async function takeLease({ pool }: Database, held: number): Promise<Lease | null> {
  await pool.query('INSERT INTO vendor_feeds (name) VALUES ($1) ON CONFLICT DO NOTHING', [name])
  const taken = await pool.query<Lease>(
    `UPDATE vendor_feeds SET fence = fence + 1, lease_until = now() + $2 * interval '1 ms'
     WHERE name = $1 AND (lease_until IS NULL OR lease_until <= now() OR fence = $3) RETURNING cursor, fence`,
    [name, leaseMs, held],
  )
  return taken.rows[0] ?? null
}

/** Another process has the feed and moved its cursor lately. */
async function isFollowedElsewhere({ pool }: Database, minMs: number): Promise<boolean> {
  const text = `SELECT 1 FROM vendor_feeds WHERE name = $1 AND updated_at > now() - $2 * interval '1 ms'`
  return (await pool.query(text, [name, leaseMs + 4 * minMs])).rowCount === 1
}

async function endLease({ pool }: Database, held: number): Promise<void> {
  await pool.query('UPDATE vendor_feeds SET lease_until = NULL WHERE name = $1 AND fence = $2', [name, held])
}

async function followPage(options: FeedOptions, lease: Lease, signal: AbortSignal): Promise<'more' | 'end' | 'failed'> {
  const answer = await options.vendor.changes?.(lease.cursor, pageSize, { signal })
  if (answer === undefined) return 'failed'
  if (answer.kind !== 'ok') {
    options.log.warn(
      { event: 'feed.failed', reason: answer.message, status: answer.status },
      'the changes feed cannot be read',
    )
    return 'failed'
  }
  const { expired, orders, cursor, hasMore } = answer.value
  if (expired) {
    await moveCursor(options.database, lease, null)
    return lease.cursor === null ? 'failed' : 'more'
  }
  for (const order of orders) await recordAlone(options, lease, order)
  await moveCursor(options.database, lease, cursor)
  return hasMore ? 'more' : 'end'
}

async function moveCursor({ pool }: Database, lease: Lease, cursor: string | null): Promise<void> {
  await pool.query('UPDATE vendor_feeds SET cursor = $3, updated_at = now() WHERE name = $1 AND fence = $2', [
    name,
    lease.fence,
    cursor,
  ])
}

/** One order that cannot be written down must not stop the feed: it is polled by itself. */
async function recordAlone(options: FeedOptions, lease: Lease, order: VendorOrder): Promise<void> {
  try {
    await recordChange(options, lease, order)
  } catch (failure) {
    options.onFailure?.('feed-order')
    options.log.error(
      { event: 'feed.order_failed', vendor_order_id: order.orderId, err: failure },
      'a change was not taken',
    )
    const text = `UPDATE poll_schedule s SET due_at = now(), claimed = false, fingerprint = NULL FROM orders o
      WHERE o.vendor_order_id = $1 AND s.background_check_id = o.background_check_id`
    await options.database.pool.query(text, [order.orderId])
  }
}

async function recordChange(options: FeedOptions, lease: Lease, order: VendorOrder): Promise<void> {
  const known = await options.database.pool.query<{ background_check_id: string }>(
    'SELECT background_check_id FROM orders WHERE vendor_order_id = $1',
    [order.orderId],
  )
  for (const { background_check_id: id } of known.rows) {
    const buckets = await options.database.transaction((sql) => recordFor(options, sql, lease, id, order))
    if (buckets.length > 0) options.onReady(buckets)
  }
}

async function recordFor(
  options: FeedOptions,
  sql: Sql,
  lease: Lease,
  id: string,
  order: VendorOrder,
): Promise<number[]> {
  const mayRecord = (locked: Sql) => overtakePolls(locked, lease, id)
  const recorded = await recordVendorOrder(sql, options.sealer, id, order, Date.now(), mayRecord)
  if (recorded === null) return []
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
async function overtakePolls(sql: Sql, lease: Lease, id: string): Promise<boolean> {
  const mine = await sql.query('SELECT 1 FROM vendor_feeds WHERE name = $1 AND fence = $2 FOR SHARE', [
    name,
    lease.fence,
  ])
  if (mine.rowCount === 0) return false
  await sql.query('UPDATE poll_schedule SET fence = fence + 1 WHERE background_check_id = $1', [id])
  return true
}
