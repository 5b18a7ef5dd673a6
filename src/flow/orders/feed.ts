import { forEachAtOnce, groupBy } from '../../platform/at-once.js'
import type { Loop } from '../../platform/loop.js'
import type { VendorAdapter, VendorOrder } from '../vendor/adapter.js'
import { startFollower } from '../vendor/follow.js'
import { type FeedRecordOptions, feedName, passOver, readKnown, recordAlone } from './feed-record.js'

export interface FeedOptions extends FeedRecordOptions {
  vendor: VendorAdapter
  /** Whether the vendor has a changes feed. */
  isOffered: () => boolean
  /** The feed cannot be read, or can again. */
  onBroken?: (reason: string) => Promise<void>
  onFound?: () => Promise<void>
}

export interface Feed extends Loop {
  /** The feed was read to its end lately: what it names need not be polled often. */
  isFollowed: () => boolean
}

const pageSize = 100
/** Orders of a page recorded at once; changes of one order stay in sequence. */
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

/**
 * Orders were left to the feed for up to the longest interval: a feed that cannot be read leaves them to polls, soon. A page
 * at a time, so that neither a claim nor a settlement waits for a million of them. Claims end: under one, an order would come
 * back with the interval that it was claimed with.
 */
export async function fallBackToPolls(
  { database, log, terms }: Pick<FeedOptions, 'database' | 'log' | 'terms'>,
  pageOf = ordersPerPage,
): Promise<void> {
  let orders = 0
  for (let after: string | null = ''; after !== null; ) {
    const page: { rows: Page[] } = await database.pool.query<Page>(fallBackSql, [terms.minMs, after, pageOf])
    orders += page.rows[0]?.orders ?? 0
    after = page.rows[0]?.last ?? null
  }
  log.warn({ event: 'feed.fell_back', orders }, 'the changes feed cannot be read; orders are polled')
}

interface Page {
  orders: number
  /** Null behind the last page. */
  last: string | null
}

const ordersPerPage = 5000

/** Locked in the order in which settlements of polls, and of results, lock them. */
const fallBackSql = `
  WITH page AS MATERIALIZED (
    SELECT ctid AS at, background_check_id FROM poll_schedule WHERE background_check_id > $2
    ORDER BY background_check_id LIMIT $3 FOR UPDATE
  ), moved AS (
    UPDATE poll_schedule s SET interval_ms = $1::int, due_at = least(s.due_at, now() + random() * $1::int * interval '1 ms'),
      fence = s.fence + s.claimed::int, claimed = false, nudged = false
    FROM page WHERE s.ctid = page.at
  )
  SELECT count(*)::int AS orders, max(background_check_id) AS last FROM page`
