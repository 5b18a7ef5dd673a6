import type { Database } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import type { UnreadableEntry, VendorAnswer, VendorFailure } from './adapter.js'

/** One answer of a changes feed, whatever it is that changes. */
export interface FeedPage<Item> {
  /** The cursor is not known any more: start over. */
  expired: boolean
  items: readonly Item[]
  /** Entries that nothing can be taken from. */
  unreadable?: readonly UnreadableEntry[]
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
  /** The cursor goes on behind entries that cannot be read, when this is done. */
  passOver(entries: readonly UnreadableEntry[]): Promise<void>
  /** The feed could not be read several times in a row. */
  onLost?: () => Promise<void>
  /** So it is, and because of what the vendor answers: it can be called, and the feed cannot be read. */
  onBroken?: (reason: string) => Promise<void>
  /** The feed can be read: told at the first page and whenever it was lost before. */
  onFound?: () => Promise<void>
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
  let notBefore = 0
  let held = -1
  let failures = 0
  let found = false
  let lost = false
  let broken = false
  const walked = new Set<string>()
  const settle = async (page: Followed): Promise<number> => {
    if (page.kind === 'end') readToEndAt = performance.now()
    if (page.kind !== 'failed') {
      failures = 0
      lost = false
      broken = false
      if (!found) await options.onFound?.()
      found = true
      return page.kind === 'more' ? 0 : everyMs
    }
    failures += 1
    notBefore = performance.now() + (page.retryAfterMs ?? 0)
    if (failures >= failuresUntilLost && !lost) {
      readToEndAt = Number.NEGATIVE_INFINITY
      found = false
      await options.onLost?.()
      lost = true
    }
    if (failures >= failuresUntilLost && page.ofFeed && !broken) {
      await options.onBroken?.(page.reason)
      broken = true
    }
    return Math.max(everyMs, page.retryAfterMs ?? 0)
  }
  const loop = startLoop({
    name,
    everyMs: Math.min(restWithoutMs, everyMs),
    log,
    ...(options.onFailure && { onFailure: options.onFailure }),
    turn: async (signal) => {
      if (!options.isOffered()) return restWithoutMs
      if (performance.now() < notBefore) return notBefore - performance.now()
      const lease = await takeLease(database, feed, held)
      if (lease === null) {
        if (await isFollowedElsewhere(database, feed, everyMs)) readToEndAt = performance.now()
        return everyMs
      }
      held = lease.fence
      return settle(await followPage(options, lease, walked, signal))
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

type Followed =
  | { kind: 'more' }
  | { kind: 'end' }
  | { kind: 'failed'; reason: string; ofFeed: boolean; retryAfterMs?: number }

/** `walked`: the cursors behind which there was more, since the feed was last read to its end. */
async function followPage<Item>(
  options: FollowOptions<Item>,
  lease: FeedLease,
  walked: Set<string>,
  signal: AbortSignal,
): Promise<Followed> {
  const { feed, database } = options
  const answer = await options.read(lease.cursor, signal)
  if (answer.kind !== 'ok') return failed(options, answer)
  const { expired, items, unreadable = [], cursor, hasMore } = answer.value
  if (expired) {
    walked.clear()
    await moveCursor(database, feed, lease, null)
    return lease.cursor === null ? failed(options, { message: 'a first call with an empty cursor answered 410' }) : more
  }
  await options.take(items, lease)
  if (unreadable.length > 0) await options.passOver(unreadable)
  remember(walked, lease.cursor ?? '')
  // Followed further it would never end, and the vendor would be called without a pause.
  if (hasMore && walked.has(cursor)) {
    return failed(options, { message: 'has_more is true, and the cursor is one that was followed before' })
  }
  await moveCursor(database, feed, lease, cursor)
  if (hasMore) return more
  walked.clear()
  return { kind: 'end' }
}

const more: Followed = { kind: 'more' }
const mostWalked = 10_000

function remember(walked: Set<string>, cursor: string): void {
  if (walked.size >= mostWalked) walked.clear()
  walked.add(cursor)
}

function failed<Item>(
  { feed, name, log, onFailure }: FollowOptions<Item>,
  failure: VendorFailure | { message: string },
): Followed {
  const { message: reason, status, retryAfterMs } = { status: undefined, retryAfterMs: undefined, ...failure }
  onFailure?.(name)
  log.warn({ event: 'feed.failed', feed, reason, status }, 'a feed cannot be read')
  // Without an answer, or with a wrong key, no call gets through: the breaker shows that.
  const ofFeed = !('kind' in failure) || (failure.kind !== 'misconfigured' && status !== undefined)
  return { kind: 'failed', reason, ofFeed, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
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
