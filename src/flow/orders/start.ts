import type { Parts } from '../../app.js'
import type { Started } from '../../platform/lifetime.js'
import { createBinding, giveUpBinding } from '../accounts/bind.js'
import { startAgreementsFeed } from '../agreements/feed.js'
import { wakePumps } from '../to-feishu/wake-pumps.js'
import { longestWaitMs, type VendorAccess } from '../vendor/access.js'
import { startCapabilities } from '../vendor/capabilities.js'
import { feedParking, startVendorWatch } from '../vendor/parking.js'
import { createCanceling, giveUpCanceling } from './cancel-at-vendor.js'
import { giveUpPlacing } from './fail.js'
import { startFeed } from './feed.js'
import { createPlacing } from './place.js'
import { startPoller } from './poll.js'
import { createResending, giveUpResending } from './resend.js'
import { startTaskWorker } from './tasks.js'

/**
 * The room `orders`: from an order in the inbox to an order at the vendor, and back from the vendor's words to what
 * waits for Feishu. `start` puts its workers together: tasks (bind, place, cancel, resend) and the poller.
 */
export interface VendorSide extends Started {
  /** There may be tasks that are due. */
  wake(): void
}

const settleMs = 10_000

/** The access is stopped by whoever opened it. */
export function startVendorSide(parts: Parts, access: VendorAccess): VendorSide {
  const { config, database, sealer, log, hints, metrics, random } = parts
  const { timeoutMs, concurrency, pollMinMs, pollMaxMs } = config.vendor
  const { vendor } = access
  /** One call, with the wait for its turn. */
  const callMs = timeoutMs + longestWaitMs(timeoutMs)
  const onFailure = (loop: string) => metrics.failures.inc({ loop })
  const capabilities = startCapabilities(vendor, log)
  const onReady = (buckets: readonly number[]) => wakePumps(hints, buckets)
  const terms = { minMs: pollMinMs, maxMs: pollMaxMs }
  const isOffered = () => capabilities.current().changes && vendor.changes !== undefined
  const feed = startFeed({
    database,
    sealer,
    vendor,
    log,
    terms,
    isOffered,
    onReady,
    onFailure,
    ...feedParking(database.pool, 'changes'),
  })
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
    ...feedParking(database.pool, 'tripartite'),
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
    leaseMs: callMs + settleMs,
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
    leaseMs: 2 * callMs + settleMs,
    run: {
      bind: createBinding({ ...common, onReady }),
      place: createPlacing({ ...common, timeoutMs, onPlaced: () => poller.wake(), onCancelWanted: () => tasks.wake() }),
      cancel: createCanceling(common),
      resend: createResending({ ...common, onReady }),
    },
    giveUp: { bind: giveUpBinding, place: giveUpPlacing, cancel: giveUpCanceling, resend: giveUpResending },
  })
  const watch = startVendorWatch({
    sql: database.pool,
    log,
    breaker: access.breaker,
    probe: () => {
      tasks.wake()
      poller.wake()
      capabilities.wake()
    },
    onState: (state) => metrics.vendorBreaker.set({ closed: 0, half_open: 0.5, open: 1 }[state]),
    onFailure,
  })
  access.listen(() => watch.look())
  hints.listen('vendor', () => tasks.wake())
  hints.listen('poll', () => poller.wake())
  return {
    wake: () => tasks.wake(),
    stop: async () => {
      await Promise.all([tasks.stop(), poller.stop(), feed.stop(), agreements.stop(), capabilities.stop()])
      await watch.stop()
    },
  }
}
