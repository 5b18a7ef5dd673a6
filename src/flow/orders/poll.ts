import { setMaxListeners } from 'node:events'
import type { Database } from '../../platform/database/database.js'
import { fairClaimSql, fairClaimValues, sharesOf } from '../../platform/database/fair-claim.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import { failSpan, inSpan, type Span } from '../../platform/tracing/spans.js'
import type { VendorAdapter, VendorAnswer, VendorOrder } from '../vendor/adapter.js'
import {
  type ClaimedOrder,
  isUnreadable,
  type SettleOptions,
  settleChanged,
  settleFailure,
  settleUnchanged,
  settleUnknown,
} from './poll-settle.js'
import { fingerprintOf } from './record.js'

export interface PollerOptions extends SettleOptions {
  vendor: VendorAdapter
  /** Calls in flight. */
  concurrency: number
  /** Longest life of a claim in ms: one call and its settlement. */
  leaseMs: number
  /** Whether the vendor answers for many orders at once. */
  canBatch: () => boolean
  onFailure?: (name: string) => void
}

const batchSize = 100
const mostPerClaim = 500
const longestScanMs = 1000
const claimSql = fairClaimSql({
  table: 'poll_schedule',
  id: 'background_check_id',
  set: 'fence = claimed.fence + 1, claimed = true, nudged = false',
  returning: `claimed.background_check_id, claimed.tenant_key, claimed.interval_ms, claimed.fence, claimed.fingerprint,
    (SELECT vendor_order_id FROM orders o WHERE o.background_check_id = claimed.background_check_id) AS vendor_order_id,
    (SELECT trace_parent FROM orders o WHERE o.background_check_id = claimed.background_check_id) AS trace_parent`,
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
  trace_parent: string | null
}

async function claim(
  database: Database,
  wanted: number,
  options: PollerOptions,
  inFlight: string[],
): Promise<ClaimedOrder[]> {
  const { leaseMs, concurrency } = options
  const shares = options.canBatch() ? { among: Math.ceil(wanted / 4), alone: wanted } : sharesOf(concurrency)
  const values = fairClaimValues({ most: wanted, leaseMs, inFlight, ...shares })
  const result = await database.pool.query<ClaimRow>(claimSql, values)
  return result.rows.map((row) => ({
    id: row.background_check_id,
    tenantKey: row.tenant_key,
    vendorOrderId: row.vendor_order_id ?? '',
    intervalMs: row.interval_ms,
    fence: row.fence,
    fingerprint: row.fingerprint,
    traceParent: row.trace_parent,
  }))
}

function groupsOf<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))
}

async function pollGroup(options: PollerOptions, group: ClaimedOrder[], signal: AbortSignal): Promise<void> {
  const asked = performance.now()
  const answer = await ask(options.vendor, group, signal)
  if (answer.kind === 'retry' && group.length > 1 && isUnreadable(answer)) return pollSingly(options, group, signal)
  if (answer.kind !== 'ok') return settleFailure(options, group, answer)
  const byId = new Map(answer.value.map((order) => [order.orderId, order]))
  const unchanged: ClaimedOrder[] = []
  for (const order of group) {
    const vendorOrder = byId.get(order.vendorOrderId)
    if (vendorOrder !== undefined && order.fingerprint?.equals(fingerprintOf(vendorOrder))) unchanged.push(order)
    else await settleTraced(options, order, vendorOrder, asked)
  }
  if (unchanged.length > 0) await settleUnchanged(options, unchanged)
}

/** Only a poll that found something is in its order's trace: most find nothing, for days. */
function settleTraced(
  options: PollerOptions,
  order: ClaimedOrder,
  answer: VendorOrder | undefined,
  since: number,
): Promise<void> {
  const attributes = { 'bgc.background_check_id': order.id, 'bgc.tenant_key': order.tenantKey }
  const facts = { kind: 'consumer', parent: order.traceParent ?? null, since, attributes } as const
  return inSpan('poll order', facts, (span) => settleAlone(options, order, answer, span))
}

/** One order that cannot be written down must not cost its neighbours their poll either; its lease brings it back. */
async function settleAlone(
  options: PollerOptions,
  order: ClaimedOrder,
  answer: VendorOrder | undefined,
  span: Span,
): Promise<void> {
  try {
    if (answer === undefined) await settleUnknown(options, order)
    else await settleChanged(options, order, answer)
  } catch (failure) {
    failSpan(span, failure instanceof Error ? failure.name : typeof failure)
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
