import { setMaxListeners } from 'node:events'
import { type FairClaim, sharesOf } from '../../platform/database/fair-claim.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import { failSpan, inSpan, type Span } from '../../platform/tracing/spans.js'
import type { VendorAdapter, VendorAnswer, VendorOrder } from '../vendor/adapter.js'
import { type ClaimedOrder, createPollClaim } from './poll-claim.js'
import {
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
export const mostPerClaim = 1000
/** Of one tenant, while others wait: a call asks for a hundred at once, so nobody waits long. */
const together = 8
const longestScanMs = 1000

/**
 * Asks the vendor for every order that is due, and writes down what changed. While it keeps up, it looks at the clock
 * only: looking whenever a call ends would find few orders each time, and ask for a hundred in thirty calls.
 */
export function startPoller(options: PollerOptions): Loop {
  const { database, log, concurrency, terms } = options
  const claim = createPollClaim(database)
  const running = new Map<Promise<void>, string>()
  // Calls in flight are not broken off by a stop: they end by their timeout and settle.
  const { signal } = new AbortController()
  setMaxListeners(0, signal)
  const scanMs = Math.min(longestScanMs, Math.max(10, Math.round(terms.minMs / 20)))
  let isBehind = false
  const settling = { ...options, onDue: () => loop.wake() }
  const loop = startLoop({
    name: 'poll',
    everyMs: scanMs,
    log,
    ...(options.onFailure && { onFailure: options.onFailure }),
    turn: async () => {
      const canBatch = options.canBatch()
      const free = concurrency - running.size
      // Orders that are asked for one by one may also wait for their tenant's calls.
      isBehind ||= !canBatch || free <= 0
      if (free <= 0) return scanMs
      const until = performance.now() + options.leaseMs
      const claimed = await claim(canBatch ? claimForBatches(free, options) : callsFor(free, options, running.values()))
      for (const group of groupsOf(claimed.rows, canBatch ? batchSize : 1)) {
        const run = pollGroup(settling, group, signal, until)
          .catch((failure: unknown) => {
            // The lease brings these orders back; a poll is only a read.
            options.onFailure?.('poll-group')
            log.error({ event: 'poll.crashed', orders: group.length, err: failure }, 'a poll crashed')
          })
          .finally(() => {
            running.delete(run)
            if (isBehind) loop.wake()
          })
        running.set(run, group[0]?.tenantKey ?? '')
      }
      isBehind = claimed.isMore || !canBatch
      return claimed.isMore ? 0 : scanMs
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

/** `free`: calls that may be made now. */
export function claimForBatches(free: number, { leaseMs }: Pick<PollerOptions, 'leaseMs'>): FairClaim {
  const most = Math.min(mostPerClaim, free * batchSize)
  return { most, leaseMs, among: Math.ceil(most / 4), alone: most, together }
}

function callsFor(free: number, { leaseMs, concurrency }: PollerOptions, inFlight: Iterable<string>): FairClaim {
  return { most: free, leaseMs, inFlight, ...sharesOf(concurrency) }
}

function groupsOf<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))
}

/** `until`: when the claim of these orders is over, by `performance.now()`. */
async function pollGroup(
  options: PollerOptions,
  group: ClaimedOrder[],
  signal: AbortSignal,
  until: number,
): Promise<void> {
  const asked = performance.now()
  const answer = await ask(options.vendor, group, signal)
  if (answer.kind === 'retry' && group.length > 1 && (isUnreadable(answer) || answer.status === 404)) {
    return pollSingly(options, group, signal, until)
  }
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

/**
 * One order that cannot be read must not cost its neighbours their poll, and where there is no list, all of them together
 * may take longer than their claim: each is settled before the next is asked for. What is left when the claim is over is
 * somebody else's by then; the first is always asked for, so that every claim settles some.
 */
async function pollSingly(
  options: PollerOptions,
  group: ClaimedOrder[],
  signal: AbortSignal,
  until: number,
): Promise<void> {
  for (const [index, order] of group.entries()) {
    if (index > 0 && performance.now() > until) return
    await pollGroup(options, [order], signal, until)
  }
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
