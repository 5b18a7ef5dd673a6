import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { addToTimeline } from '../timeline.js'
import type { VendorFailure, VendorOrder } from '../vendor/adapter.js'
import type { ClaimedOrder } from './poll-claim.js'
import { endPolls, lockIfOver, tireOfOver } from './poll-over.js'
import { fingerprintOf, flagOrder, recordVendorOrder, sameContent, unlikeAny } from './record.js'
import { nextInterval, type PollTerms, vendorRetryMs, withJitter } from './schedule.js'

/** What the settlements of polls need. */
export interface SettleOptions {
  database: Database
  sealer: Sealer
  log: Logger
  terms: PollTerms
  /** A changes feed names what changed: polls are only the safety net. */
  isFeedFollowed?: () => boolean
  onReady: (buckets: readonly number[]) => void
  onPolled?: (outcome: PollOutcome, orders: number) => void
  /** Somebody asked for a poll while one ran: it is due again. */
  onDue?: () => void
  random?: () => number
}

export type PollOutcome = 'changed' | 'unchanged' | 'unknown' | 'failed'

/** A poll that failed is tried again after the backoff of this attempt, or after its interval if that is shorter. */
const failingPollAttempt = 5

/** One transaction: what changed, what waits for Feishu now, and when to ask again. */
export async function settleChanged(
  options: SettleOptions,
  order: ClaimedOrder,
  vendorOrder: VendorOrder,
): Promise<void> {
  const fingerprint = fingerprintOf(vendorOrder)
  const { buckets, isDue } = await options.database.transaction(async (sql) => {
    const isRepeat = sameContent(order.fingerprint, fingerprint)
    const reading = { mayRecord: (locked: Sql) => holdsPoll(locked, order), isLatest: true, isRepeat }
    const recorded = await recordVendorOrder(sql, options.sealer, order.id, vendorOrder, Date.now(), reading)
    if (recorded === null) return { buckets: [], isDue: false }
    if (recorded.ended) {
      return { buckets: recorded.buckets, isDue: await endPolls(sql, order.id) }
    }
    const { buckets, readAgain } = recorded
    const intervalMs = readAgain ? options.terms.minMs : nextInterval(order.intervalMs, !isRepeat, termsNow(options))
    const later = { ...order, intervalMs }
    return { buckets, isDue: await reschedule(sql, options, [later], readAgain ? unlikeAny : fingerprint) }
  })
  options.onPolled?.('changed', 1)
  if (isDue) options.onDue?.()
  if (buckets.length > 0) options.onReady(buckets)
}

/** The claim is still this poll's: neither its lease ran out nor did the feed bring something newer. */
async function holdsPoll(sql: Sql, { id, fence }: ClaimedOrder): Promise<boolean> {
  const text = 'SELECT 1 FROM poll_schedule WHERE background_check_id = $1 AND fence = $2 FOR UPDATE'
  return (await sql.query(text, [id, fence])).rowCount === 1
}

export async function settleUnchanged(options: SettleOptions, orders: ClaimedOrder[]): Promise<void> {
  const later = orders.map((order) => ({
    ...order,
    intervalMs: nextInterval(order.intervalMs, false, termsNow(options)),
  }))
  const isDue = await reschedule(options.database.pool, options, later, null)
  options.onPolled?.('unchanged', orders.length)
  if (isDue) options.onDue?.()
}

/** The vendor gave us this number and knows it no more: a person has to look, and the order is asked for ever less often. */
export async function settleUnknown(options: SettleOptions, order: ClaimedOrder): Promise<void> {
  const isDue = await options.database.transaction(async (sql) => {
    if (await flagAsked(sql, order, 'unknown_to_vendor')) return true
    const later = { ...order, intervalMs: nextInterval(order.intervalMs, false, termsNow(options)) }
    return reschedule(sql, options, [later], null)
  })
  options.onPolled?.('unknown', 1)
  if (isDue) options.onDue?.()
}

/**
 * Flags nothing if the feed recorded the order while it was asked for: the poll's answer may be older. An order that is over
 * is not flagged, since no later poll would take the flag away: its polls end, and true means that it is due all the same.
 */
async function flagAsked(sql: Sql, order: ClaimedOrder, what: 'unknown_to_vendor' | 'poll_refused'): Promise<boolean> {
  // The order before its poll, as whoever writes down what the vendor says.
  const isOver = await lockIfOver(sql, order.id)
  if (!(await holdsPoll(sql, order))) return false
  if (isOver) return endPolls(sql, order.id)
  if (await flagOrder(sql, order.id, what)) await addToTimeline(sql, [{ backgroundCheckId: order.id, kind: what }])
  return false
}

/** Tried again soon when that may help, since somebody may be waiting for the change; the breaker spares a dead vendor. */
export async function settleFailure(
  options: SettleOptions,
  group: ClaimedOrder[],
  failure: VendorFailure,
): Promise<void> {
  const random = options.random ?? Math.random
  const refused = failure.kind === 'final' || (failure.kind === 'retry' && isUnreadable(failure))
  if (refused) {
    for (const order of group) {
      if (await options.database.transaction((sql) => flagAsked(sql, order, 'poll_refused'))) options.onDue?.()
    }
  }
  const askedMs = failure.kind === 'retry' ? failure.retryAfterMs : undefined
  const soonMs = vendorRetryMs(failingPollAttempt, random())
  const wasAsked = failure.kind === 'retry' && !failure.held
  const ofOver = wasAsked ? await tireOfOver(options.database.pool, group, options.terms) : undefined
  const waitMs = ({ id, intervalMs }: ClaimedOrder) =>
    askedMs ??
    ofOver?.get(id) ??
    (refused
      ? withJitter(Math.max(intervalMs, soonMs), random())
      : Math.min(Math.max(intervalMs, options.terms.minMs), soonMs))
  await options.database.pool.query(putOffSql, [
    group.map((order) => order.id),
    group.map((order) => order.fence),
    group.map(waitMs),
  ])
  options.onPolled?.('failed', group.length)
  const line = {
    event: 'poll.failed',
    orders: group.length,
    outcome: failure.kind,
    reason: failure.message,
    status: failure.status,
  }
  options.log[failure.kind === 'retry' && failure.held ? 'debug' : 'warn'](line, 'the vendor could not be asked')
}

/** A poll that somebody asked for while this one ran is due at once: true. */
async function reschedule(
  sql: Pick<Database['pool'], 'query'>,
  options: SettleOptions,
  orders: readonly ClaimedOrder[],
  fingerprint: Buffer | null,
): Promise<boolean> {
  const random = options.random ?? Math.random
  const values = [
    orders.map((order) => order.id),
    orders.map((order) => order.fence),
    orders.map((order) => order.intervalMs),
    orders.map((order) => withJitter(order.intervalMs, random())),
    fingerprint,
  ]
  for (let isDue = false; ; ) {
    const { rows } = await sql.query<Rescheduled>(rescheduleSql, values)
    isDue ||= rows.some((row) => row.is_due)
    if (rows.every((row) => row.written === row.held)) return isDue
  }
}

interface Rescheduled {
  held: string
  written: string
  is_due: boolean
}

/**
 * Rows are looked up one by one: of a join PostgreSQL thinks by how many were claimed when it last counted, and where that
 * was none, it compares each that is claimed with each of these. They are locked in order, as ending orders does, and written
 * where they lie then. One that somebody else wrote after this statement had begun lies where the statement cannot see it:
 * it is held and not written, and is again the next time.
 */
const rescheduleSql = `
  WITH held AS MATERIALIZED (
    SELECT s.at, w.interval_ms, w.ms
    FROM (SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::float8[]) AS w (id, fence, interval_ms, ms) ORDER BY id) w
    CROSS JOIN LATERAL (
      SELECT ctid AS at FROM poll_schedule WHERE background_check_id = w.id AND fence = w.fence AND claimed FOR UPDATE
    ) s
  ), written AS (
    UPDATE poll_schedule s SET claimed = false, nudged = false, interval_ms = held.interval_ms,
      fingerprint = coalesce($5::bytea, s.fingerprint),
      due_at = CASE WHEN s.nudged THEN now() ELSE now() + held.ms * interval '1 ms' END
    FROM held WHERE s.ctid = held.at
    RETURNING s.due_at <= now() AS is_due
  )
  SELECT (SELECT count(*) FROM held) AS held, count(*) AS written, coalesce(bool_or(is_due), false) AS is_due FROM written`

/** As `rescheduleSql` finds and locks them; one that somebody else wrote meanwhile comes back when its lease is over. */
const putOffSql = `
  WITH held AS MATERIALIZED (
    SELECT s.at, w.ms FROM (SELECT * FROM unnest($1::text[], $2::int[], $3::float8[]) AS w (id, fence, ms) ORDER BY id) w
    CROSS JOIN LATERAL (
      SELECT ctid AS at FROM poll_schedule WHERE background_check_id = w.id AND fence = w.fence FOR UPDATE
    ) s
  )
  UPDATE poll_schedule s SET claimed = false, nudged = false,
    due_at = now() + CASE WHEN s.nudged THEN least(held.ms, 1000) ELSE held.ms END * interval '1 ms'
  FROM held WHERE s.ctid = held.at`

function termsNow({ terms, isFeedFollowed }: SettleOptions): PollTerms {
  return isFeedFollowed?.() ? { minMs: terms.maxMs, maxMs: terms.maxMs } : terms
}

export function isUnreadable(failure: Extract<VendorFailure, { kind: 'retry' }>): boolean {
  return failure.status !== undefined && failure.status >= 200 && failure.status < 300
}
