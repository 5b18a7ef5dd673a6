import type { Parts } from '../../app.js'
import type { Started } from '../../platform/lifetime.js'
import { createBinding } from '../accounts/bind.js'
import { startAgreementsFeed } from '../agreements/feed.js'
import { wakePumps } from '../to-feishu/wake-pumps.js'
import type { VendorAdapter } from '../vendor/adapter.js'
import { createBreaker } from '../vendor/breaker.js'
import { startCapabilities } from '../vendor/capabilities.js'
import { guardVendor, type VendorCallReport } from '../vendor/guarded.js'
import { loadVendor } from '../vendor/load.js'
import { createVendorParking } from '../vendor/parking.js'
import { createCanceling } from './cancel-at-vendor.js'
import { startFeed } from './feed.js'
import { createPlacing } from './place.js'
import { startPoller } from './poll.js'
import { createResending } from './resend.js'
import { startTaskWorker } from './tasks.js'

/**
 * The room `orders`: from an order in the inbox to an order at the vendor, and back from the vendor's words to what
 * waits for Feishu. `start` puts its workers together: tasks (bind, place, cancel, resend) and the poller.
 */
export interface VendorSide extends Started {
  /** There may be tasks that are due. */
  wake(): void
}

const breakerTerms = { failuresToOpen: 5, openMs: 1000, maxOpenMs: 60_000 }
const settleMs = 10_000

export async function startVendorSide(parts: Parts, override?: VendorAdapter): Promise<VendorSide> {
  const { config, database, sealer, log, hints, metrics, random } = parts
  const { timeoutMs, concurrency, pollMinMs, pollMaxMs } = config.vendor
  const breaker = createBreaker({ ...breakerTerms, probeMs: timeoutMs + 5000, now: () => performance.now(), random })
  const adapter = override ?? (await loadVendor(settingsOf(parts)))
  const park = createVendorParking(database.pool, log)
  const onCall = (call: VendorCallReport) => {
    park(call)
    reportCall(parts, call)
    metrics.vendorBreaker.set({ closed: 0, half_open: 0.5, open: 1 }[breaker.look().state])
  }
  const vendor = guardVendor(adapter, { breaker, concurrency, onCall })
  const onFailure = (loop: string) => metrics.failures.inc({ loop })
  const capabilities = startCapabilities(vendor, log)
  const onReady = (buckets: readonly number[]) => wakePumps(hints, buckets)
  const terms = { minMs: pollMinMs, maxMs: pollMaxMs }
  const isOffered = () => capabilities.current().changes && vendor.changes !== undefined
  const feed = startFeed({ database, sealer, vendor, log, terms, isOffered, onReady, onFailure })
  const agreements = startAgreementsFeed({
    database,
    sealer,
    vendor,
    log,
    appIds: config.feishu.apps.map((app) => app.appId),
    everyMs: pollMinMs,
    isOffered: () => capabilities.current().tripartite && vendor.agreements !== undefined,
    onReady,
    onChange: (outcome) => metrics.agreementChanges.inc({ outcome }),
    onFailure,
  })
  const poller = startPoller({
    database,
    sealer,
    vendor,
    log,
    random,
    concurrency,
    onFailure,
    terms,
    isFeedFollowed: feed.isFollowed,
    leaseMs: timeoutMs + settleMs,
    canBatch: () => capabilities.current().batch,
    onReady,
    onPolled: (outcome, orders) => metrics.polls.inc({ outcome }, orders),
  })
  const common = { database, sealer, vendor, log, random }
  const tasks = startTaskWorker({
    database,
    log,
    concurrency,
    onFailure,
    leaseMs: 2 * timeoutMs + settleMs,
    run: {
      bind: createBinding({ ...common, onReady }),
      place: createPlacing({ ...common, onPlaced: () => poller.wake(), onCancelWanted: () => tasks.wake() }),
      cancel: createCanceling(common),
      resend: createResending({ ...common, onReady }),
    },
  })
  hints.listen('vendor', () => tasks.wake())
  hints.listen('poll', () => poller.wake())
  return {
    wake: () => tasks.wake(),
    stop: async () => {
      await Promise.all([tasks.stop(), poller.stop(), feed.stop(), agreements.stop(), capabilities.stop()])
      await adapter.stop?.()
    },
  }
}

function settingsOf({ config }: Parts) {
  const { adapter, baseUrl, apiKey, timeoutMs, environment } = config.vendor
  const http =
    baseUrl === undefined || apiKey === undefined ? {} : { http: { baseUrl, apiKey, timeoutMs, proxy: config.proxy } }
  return { adapter, environment, ...http }
}

function reportCall({ metrics, log }: Parts, { verb, durationMs, answer, thrown }: VendorCallReport): void {
  metrics.vendorCalls.inc({ verb, outcome: answer.kind })
  metrics.vendorSeconds.observe({ verb }, durationMs / 1000)
  if (thrown !== undefined) log.error({ event: 'vendor.adapter_threw', verb, err: thrown }, 'the adapter threw')
}
