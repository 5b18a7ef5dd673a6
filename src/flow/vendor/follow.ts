import type { Database } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import type { VendorAnswer } from './adapter.js'

/** One answer of a changes feed, whatever it is that changes. */
export interface FeedPage<Item> {
  /** The cursor is not known any more: start over. */
  expired: boolean
  items: readonly Item[]
  cursor: string
  hasMore: boolean
}

export interface FollowOptions<Item> {
  /** The feed's row in `vendor_feeds`. */
  feed: string
  /** Of the loop, in logs and metrics. */
  name: string
  database: Database
  log: Logger
  /** Between two looks at a feed that was read to its end. */
  everyMs: number
  /** Whether the vendor has such a feed. */
  isOffered: () => boolean
  /** `cursor: null` starts from the beginning. */
  read(cursor: string | null, signal: AbortSignal): Promise<VendorAnswer<FeedPage<Item>>>
  /** Takes the changes of a page; the cursor moves when they are all taken. If it throws, the page is read again. */
  take(items: readonly Item[], lease: FeedLease): Promise<void>
  /** The feed could not be read several times in a row. */
  onLost?: () => Promise<void>
  onFailure?: (name: string) => void
}

/** This process follows the feed as long as the row has this fence. */
export interface FeedLease {
  cursor: string | null
  fence: number
}

export interface Follower extends Loop {
  /** When the feed was last known to be read to its end, here or elsewhere, on the clock of `performance.now()`. */
  readToEndAt: () => number
}

const leaseMs = 60_000
const restWithoutMs = 10_000
const failuresUntilLost = 5

/**
 * Follows one of the vendor's changes feeds, one process at a time. The cursor moves after everything on a page was
 * taken; a page that is read twice has to change nothing the second time.
 */
export function startFollower<Item>(options: FollowOptions<Item>): Follower {
  const { feed, name, database, log, everyMs } = options
  let readToEndAt = Number.NEGATIVE_INFINITY
  let held = -1
  let failures = 0
  const loop = startLoop({
    name,
    everyMs: Math.min(restWithoutMs, everyMs),
    log,
    ...(options.onFailure && { onFailure: options.onFailure }),
    turn: async (signal) => {
      if (!options.isOffered()) return restWithoutMs
      const lease = await takeLease(database, feed, held)
      if (lease === null) {
        if (await isFollowedElsewhere(database, feed, everyMs)) readToEndAt = performance.now()
        return everyMs
      }
      held = lease.fence
      const page = await followPage(options, lease, signal)
      if (page === 'end') readToEndAt = performance.now()
      failures = page === 'failed' ? failures + 1 : 0
      if (failures === failuresUntilLost) {
        readToEndAt = Number.NEGATIVE_INFINITY
        await options.onLost?.()
      }
      return page === 'more' ? 0 : everyMs
    },
  })
  return {
    wake: loop.wake,
    readToEndAt: () => readToEndAt,
    stop: async () => {
      await loop.stop()
      await endLease(database, feed, held)
    },
  }
}

async function followPage<Item>(
  options: FollowOptions<Item>,
  lease: FeedLease,
  signal: AbortSignal,
): Promise<'more' | 'end' | 'failed'> {
  const { feed, database, log } = options
  const answer = await options.read(lease.cursor, signal)
  if (answer.kind !== 'ok') {
    log.warn({ event: 'feed.failed', feed, reason: answer.message, status: answer.status }, 'a feed cannot be read')
    return 'failed'
  }
  const { expired, items, cursor, hasMore } = answer.value
  if (expired) {
    await moveCursor(database, feed, lease, null)
    return lease.cursor === null ? 'failed' : 'more'
  }
  await options.take(items, lease)
  await moveCursor(database, feed, lease, cursor)
  return hasMore ? 'more' : 'end'
}

async function takeLease({ pool }: Database, feed: string, held: number): Promise<FeedLease | null> {
  await pool.query('INSERT INTO vendor_feeds (name) VALUES ($1) ON CONFLICT DO NOTHING', [feed])
  const taken = await pool.query<FeedLease>(
    `UPDATE vendor_feeds SET fence = fence + 1, lease_until = now() + $2 * interval '1 ms'
     WHERE name = $1 AND (lease_until IS NULL OR lease_until <= now() OR fence = $3) RETURNING cursor, fence`,
    [feed, leaseMs, held],
  )
  return taken.rows[0] ?? null
}

/** Another process has the feed and moved its cursor lately. */
async function isFollowedElsewhere({ pool }: Database, feed: string, everyMs: number): Promise<boolean> {
  const text = `SELECT 1 FROM vendor_feeds WHERE name = $1 AND updated_at > now() - $2 * interval '1 ms'`
  return (await pool.query(text, [feed, leaseMs + 4 * everyMs])).rowCount === 1
}

async function endLease({ pool }: Database, feed: string, held: number): Promise<void> {
  await pool.query('UPDATE vendor_feeds SET lease_until = NULL WHERE name = $1 AND fence = $2', [feed, held])
}

async function moveCursor({ pool }: Database, feed: string, lease: FeedLease, cursor: string | null): Promise<void> {
  await pool.query('UPDATE vendor_feeds SET cursor = $3, updated_at = now() WHERE name = $1 AND fence = $2', [
    feed,
    lease.fence,
    cursor,
  ])
}
