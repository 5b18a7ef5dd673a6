import { setMaxListeners } from 'node:events'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import { fairClaimSql } from '../../platform/database/fair-claim.js'
import type { Logger } from '../../platform/logger.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import { addToTimeline } from '../timeline.js'
import type { VendorAdapter, VendorAnswer, VendorFailure, VendorOrder } from '../vendor/adapter.js'
import { fingerprintOf, flagOrder, recordVendorOrder, sameContent } from './record.js'
import { nextInterval, type PollTerms, vendorRetryMs, withJitter } from './schedule.js'

/** An order whose poll is claimed: nobody else asks for it until the lease is over. */
interface ClaimedOrder {
  id: string
  tenantKey: string
  vendorOrderId: string
  intervalMs: number
  fence: number
  fingerprint: Buffer | null
}

export interface PollerOptions {
  database: Database
  sealer: Sealer
  vendor: VendorAdapter
  log: Logger
  terms: PollTerms
  /** A changes feed names what changed: polls are only the safety net. */
  isFeedFollowed?: () => boolean
  /** Calls in flight. */
  concurrency: number
  /** Longest life of a claim in ms: one call and its settlement. */
  leaseMs: number
  /** Whether the vendor answers for many orders at once. */
  canBatch: () => boolean
  onReady: (buckets: readonly number[]) => void
  onPolled?: (outcome: PollOutcome, orders: number) => void
  onFailure?: (name: string) => void
  random?: () => number
}

export type PollOutcome = 'changed' | 'unchanged' | 'unknown' | 'failed'

const batchSize = 100
const mostPerClaim = 500
const longestScanMs = 1000
/** A poll that failed is tried again after the backoff of this attempt, or after its interval if that is shorter. */
const failingPollAttempt = 5

const claimSql = fairClaimSql({
  table: 'poll_schedule',
  id: 'background_check_id',
  set: 'fence = claimed.fence + 1, claimed = true, nudged = false',
  returning: `claimed.background_check_id, claimed.tenant_key, claimed.interval_ms, claimed.fence, claimed.fingerprint,
    (SELECT vendor_order_id FROM orders o WHERE o.background_check_id = claimed.background_check_id) AS vendor_order_id`,
})

/** Asks the vendor for every order that is due, and writes down what changed. */
export function startPoller(options: PollerOptions): Loop {
  const { database, log, concurrency, terms } = options
  const running = new Map<Promise<void>, string>()
  // Calls in flight are not broken off by a stop: they end by their timeout and settle.
  const { signal } = new AbortController()
  setMaxListeners(0, signal)
  const scanMs = Math.min(longestScanMs, Math.max(10, Math.round(terms.minMs / 4)))
  const loop = startLoop({
    name: 'poll',
    everyMs: scanMs,
    log,
    ...(options.onFailure && { onFailure: options.onFailure }),
    turn: async () => {
      const free = concurrency - running.size
      if (free <= 0) return scanMs
      const canBatch = options.canBatch()
      const wanted = canBatch ? Math.min(mostPerClaim, free * batchSize) : free
      const claimed = await claim(database, wanted, options, canBatch ? [] : [...running.values()])
      for (const group of canBatch ? groupsOf(claimed, batchSize) : claimed.map((order) => [order])) {
        const run = pollGroup(options, group, signal)
          .catch((failure: unknown) => {
            // The lease brings these orders back; a poll is only a read.
            options.onFailure?.('poll-group')
            log.error({ event: 'poll.crashed', orders: group.length, err: failure }, 'a poll crashed')
          })
          .finally(() => {
            running.delete(run)
            loop.wake()
          })
        running.set(run, group[0]?.tenantKey ?? '')
      }
      return claimed.length === wanted ? 0 : scanMs
    },
  })
  return {
    wake: loop.wake,
    stop: async () => {
      await loop.stop()
      await Promise.all(running.keys())
    },
  }
}

interface ClaimRow {
  background_check_id: string
  tenant_key: string
  vendor_order_id: string | null
  interval_ms: number
  fence: number
  fingerprint: Buffer | null
}

async function claim(
  database: Database,
  wanted: number,
  options: PollerOptions,
  tenants: string[],
): Promise<ClaimedOrder[]> {
  const quarter = Math.ceil(wanted / 4)
  const inFlight = new Map<string, number>()
  for (const tenant of tenants) inFlight.set(tenant, (inFlight.get(tenant) ?? 0) + 1)
  const alone = options.canBatch() ? wanted : Math.max(1, options.concurrency - Math.ceil(options.concurrency / 4))
  const among = options.canBatch() ? quarter : Math.ceil(options.concurrency / 4)
  const result = await database.pool.query<ClaimRow>(claimSql, [
    wanted,
    options.leaseMs,
    JSON.stringify(Object.fromEntries(inFlight)),
    among,
    alone,
  ])
  return result.rows.map((row) => ({
    id: row.background_check_id,
    tenantKey: row.tenant_key,
    vendorOrderId: row.vendor_order_id ?? '',
    intervalMs: row.interval_ms,
    fence: row.fence,
    fingerprint: row.fingerprint,
  }))
}

function termsNow({ terms, isFeedFollowed }: PollerOptions): PollTerms {
  return isFeedFollowed?.() ? { minMs: terms.maxMs, maxMs: terms.maxMs } : terms
}

function groupsOf<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))
}

async function pollGroup(options: PollerOptions, group: ClaimedOrder[], signal: AbortSignal): Promise<void> {
  const answer = await ask(options.vendor, group, signal)
  if (answer.kind === 'retry' && group.length > 1 && isUnreadable(answer)) return pollSingly(options, group, signal)
  if (answer.kind !== 'ok') return settleFailure(options, group, answer)
  const byId = new Map(answer.value.map((order) => [order.orderId, order]))
  const unchanged: ClaimedOrder[] = []
  for (const order of group) {
    const vendorOrder = byId.get(order.vendorOrderId)
    if (vendorOrder !== undefined && order.fingerprint?.equals(fingerprintOf(vendorOrder))) unchanged.push(order)
    else await settleAlone(options, order, vendorOrder)
  }
  if (unchanged.length > 0) await settleUnchanged(options, unchanged)
}

/** One order that cannot be written down must not cost its neighbours their poll either; its lease brings it back. */
async function settleAlone(
  options: PollerOptions,
  order: ClaimedOrder,
  answer: VendorOrder | undefined,
): Promise<void> {
  try {
    if (answer === undefined) await settleUnknown(options, order)
    else await settleChanged(options, order, answer)
  } catch (failure) {
    options.onFailure?.('poll-order')
    options.log.error(
      { event: 'poll.order_crashed', background_check_id: order.id, err: failure },
      'what the vendor said about an order could not be written down',
    )
  }
}

/** One order that cannot be read must not cost its neighbours their poll. */
async function pollSingly(options: PollerOptions, group: ClaimedOrder[], signal: AbortSignal): Promise<void> {
  for (const order of group) await pollGroup(options, [order], signal)
}

function isUnreadable(failure: Extract<VendorFailure, { kind: 'retry' }>): boolean {
  return failure.status !== undefined && failure.status >= 200 && failure.status < 300
}

async function ask(
  vendor: VendorAdapter,
  group: ClaimedOrder[],
  signal: AbortSignal,
): Promise<VendorAnswer<VendorOrder[]>> {
  const first = group[0]
  if (first !== undefined && (group.length === 1 || vendor.getOrders === undefined)) {
    const answer = await vendor.getOrder(first.vendorOrderId, { signal })
    return answer.kind === 'ok' ? { kind: 'ok', value: answer.value === null ? [] : [answer.value] } : answer
  }
  const ids = group.map((order) => order.vendorOrderId)
  return vendor.getOrders?.(ids, { signal }) ?? { kind: 'ok', value: [] }
}

/** One transaction: what changed, what waits for Feishu now, and when to ask again. */
async function settleChanged(options: PollerOptions, order: ClaimedOrder, vendorOrder: VendorOrder): Promise<void> {
  const fingerprint = fingerprintOf(vendorOrder)
  const buckets = await options.database.transaction(async (sql) => {
    const isMine = (locked: Sql) => holdsPoll(locked, order)
    const recorded = await recordVendorOrder(sql, options.sealer, order.id, vendorOrder, Date.now(), isMine)
    if (recorded === null) return []
    if (recorded.ended) {
      await sql.query('DELETE FROM poll_schedule WHERE background_check_id = $1', [order.id])
    } else {
      const changed = !sameContent(order.fingerprint, fingerprint)
      await reschedule(
        sql,
        options,
        [{ ...order, intervalMs: nextInterval(order.intervalMs, changed, termsNow(options)) }],
        fingerprint,
      )
    }
    return recorded.buckets
  })
  options.onPolled?.('changed', 1)
  if (buckets.length > 0) options.onReady(buckets)
}

/** The claim is still this poll's: neither its lease ran out nor did the feed bring something newer. */
async function holdsPoll(sql: Sql, { id, fence }: ClaimedOrder): Promise<boolean> {
  const text = 'SELECT 1 FROM poll_schedule WHERE background_check_id = $1 AND fence = $2 FOR UPDATE'
  return (await sql.query(text, [id, fence])).rowCount === 1
}

async function settleUnchanged(options: PollerOptions, orders: ClaimedOrder[]): Promise<void> {
  const later = orders.map((order) => ({
    ...order,
    intervalMs: nextInterval(order.intervalMs, false, termsNow(options)),
  }))
  await reschedule(options.database.pool, options, later, null)
  options.onPolled?.('unchanged', orders.length)
}

/** The vendor gave us this number and knows it no more: a person has to look, and the order is asked for ever less often. */
async function settleUnknown(options: PollerOptions, order: ClaimedOrder): Promise<void> {
  await options.database.transaction(async (sql) => {
    if (await flagOrder(sql, order.id, 'unknown_to_vendor')) {
      await addToTimeline(sql, [{ backgroundCheckId: order.id, kind: 'unknown_to_vendor' }])
    }
    await reschedule(
      sql,
      options,
      [{ ...order, intervalMs: nextInterval(order.intervalMs, false, termsNow(options)) }],
      null,
    )
  })
  options.onPolled?.('unknown', 1)
}

async function flagRefused({ database }: PollerOptions, id: string): Promise<void> {
  if (await flagOrder(database.pool, id, 'poll_refused')) {
    await addToTimeline(database.pool, [{ backgroundCheckId: id, kind: 'poll_refused' }])
  }
}

/** Tried again soon when that may help, since somebody may be waiting for the change; the breaker spares a dead vendor. */
async function settleFailure(options: PollerOptions, group: ClaimedOrder[], failure: VendorFailure): Promise<void> {
  const random = options.random ?? Math.random
  const refused = failure.kind === 'final' || (failure.kind === 'retry' && isUnreadable(failure))
  if (refused) {
    for (const order of group) await flagRefused(options, order.id)
  }
  const askedMs = failure.kind === 'retry' ? failure.retryAfterMs : undefined
  const soonMs = vendorRetryMs(failingPollAttempt, random())
  const waitMs = ({ intervalMs }: ClaimedOrder) =>
    askedMs ??
    (refused
      ? withJitter(Math.max(intervalMs, soonMs), random())
      : Math.min(Math.max(intervalMs, options.terms.minMs), soonMs))
  await options.database.pool.query(
    `UPDATE poll_schedule s SET claimed = false, nudged = false,
       due_at = now() + CASE WHEN s.nudged THEN least(w.ms, 1000) ELSE w.ms END * interval '1 ms'
     FROM unnest($1::text[], $2::int[], $3::float8[]) AS w (id, fence, ms)
     WHERE s.background_check_id = w.id AND s.fence = w.fence`,
    [group.map((order) => order.id), group.map((order) => order.fence), group.map(waitMs)],
  )
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

/** A poll that somebody asked for while this one ran is due at once. Locked in order, as ending orders does. */
async function reschedule(
  sql: Pick<Database['pool'], 'query'>,
  options: PollerOptions,
  orders: readonly ClaimedOrder[],
  fingerprint: Buffer | null,
): Promise<void> {
  const random = options.random ?? Math.random
  await sql.query(
    `UPDATE poll_schedule s SET claimed = false, nudged = false, interval_ms = w.interval_ms,
       fingerprint = coalesce($5::bytea, s.fingerprint),
       due_at = CASE WHEN s.nudged THEN now() ELSE now() + w.ms * interval '1 ms' END
     FROM unnest($1::text[], $2::int[], $3::int[], $4::float8[]) AS w (id, fence, interval_ms, ms)
     WHERE s.background_check_id = w.id AND s.fence = w.fence AND s.background_check_id IN (
       SELECT background_check_id FROM poll_schedule WHERE background_check_id = ANY($1)
       ORDER BY background_check_id FOR UPDATE)`,
    [
      orders.map((order) => order.id),
      orders.map((order) => order.fence),
      orders.map((order) => order.intervalMs),
      orders.map((order) => withJitter(order.intervalMs, random())),
      fingerprint,
    ],
  )
}
