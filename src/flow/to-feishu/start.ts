import type { Parts } from '../../app.js'
import type { Started } from '../../platform/lifetime.js'
import { linkingOf } from '../reports/sent-links.js'
import type { FeishuAccess } from './access.js'
import { releaseCredentialHolds } from './holds.js'
import { createLookUps } from './look-up.js'
import { startPumps } from './pumps.js'
import { createSlotSource } from './slots.js'
import { listenForDue, wakePumps } from './wake-pumps.js'

/** Puts the room together: slots, pumps, and the hints that wake them. */
export async function startFeishuSide(parts: Parts, access: FeishuAccess): Promise<Started> {
  const { config, database, sealer, keepers, log, hints, limiter, metrics, random } = parts
  const { apps, timeoutMs, retry } = config.feishu
  const { tokens, reads, clientOf, windowsOf } = access
  const tried = await releaseCredentialHolds(
    database.pool,
    apps.map((app) => app.appId),
  )
  if (tried > 0) log.info({ event: 'holds.tried_anew', holds: tried }, 'apps that Feishu refused are tried anew')
  const pumps = startPumps({
    database,
    sealer,
    keepers,
    log,
    tokens,
    reads,
    limiter,
    alone: config.redis === undefined,
    windowsOf,
    timeoutMs,
    retry,
    random,
    slots: createSlotSource({ database, limiter, windowsOf, timeoutMs, onRebuilt: () => metrics.rebuilds.inc() }),
    clientOf,
    ...linkingOf(config.reportLinks, sealer),
    lookUps: createLookUps(reads),
    lookAfterMs: parts.lookAfterMs,
    onReady: (buckets) => wakePumps(hints, buckets),
    onAttempt: ({ api, outcome, elapsedMs }) => {
      metrics.attempts.inc({ api, settled: outcome })
      if (outcome === 'slow_down') metrics.limited.inc({ api })
      metrics.attemptSeconds.observe({ api }, elapsedMs / 1000)
    },
    onSlots: (api, granted, waiting) => {
      metrics.slots.inc({ api, result: 'granted' }, granted)
      metrics.slots.inc({ api, result: 'waited' }, waiting)
    },
    onSettled: ({ api, state, seenMsAgo }) => {
      if (state === 'delivered') metrics.deliverySeconds.observe({ api }, seenMsAgo / 1000)
    },
    onFailure: (loop) => metrics.failures.inc({ loop }),
  })
  listenForDue(hints, (bucket) => pumps.wakeBucket(bucket))
  return pumps
}
