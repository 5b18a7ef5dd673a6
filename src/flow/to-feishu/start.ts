import type { Parts } from '../../app.js'
import type { Started } from '../../platform/lifetime.js'
import { readProxies } from '../../platform/proxy.js'
import { apis, type FeishuApi } from './apis.js'
import { createFeishuClient, type FeishuClient } from './client.js'
import { releaseCredentialHolds } from './holds.js'
import { createLookUps } from './look-up.js'
import { startPumps } from './pumps.js'
import { createSlotSource } from './slots.js'
import { createTokens } from './tokens.js'
import { createTokenStore } from './tokens-store.js'

/** Puts the room together: a client for each app, their tokens, slots and pumps. */
export async function startFeishuSide(parts: Parts): Promise<Started> {
  const { config, database, sealer, log, hints, limiter, metrics, random } = parts
  const { apps, timeoutMs, retry, rateLimits, rateLimitsSlow } = config.feishu
  const proxy = readProxies(config.proxy)
  const tried = await releaseCredentialHolds(
    database.pool,
    apps.map((app) => app.appId),
  )
  if (tried > 0) log.info({ event: 'holds.tried_anew', holds: tried }, 'apps that Feishu refused are tried anew')
  const store = createTokenStore(database.pool, sealer)
  const onError = (err: unknown) => log.warn({ event: 'tokens.error', err }, 'a token could not be kept')
  const tokens = createTokens({ apps, store, timeoutMs, proxy, random, onError })
  const clients = new Map(
    apps.map(({ appId, baseUrl }) => [appId, createFeishuClient({ appId, baseUrl, timeoutMs, proxy })]),
  )
  const windowsOf = (api: string) => (apis[api as FeishuApi].rate === 'slow' ? rateLimitsSlow : rateLimits)
  const clientFor = (appId: string) => clientOf(clients, appId)
  const lookUps = createLookUps({ database, limiter, clientOf: clientFor, windows: rateLimitsSlow, timeoutMs })
  const pumps = startPumps({
    database,
    sealer,
    log,
    tokens,
    limiter,
    windowsOf,
    timeoutMs,
    retry,
    random,
    slots: createSlotSource({ database, limiter, windowsOf, timeoutMs }),
    clientOf: clientFor,
    lookUps,
    lookAfterMs: parts.lookAfterMs,
    onReady: (buckets) => {
      for (const bucket of buckets) hints.send('pump', String(bucket))
    },
    onAttempt: ({ api, outcome, elapsedMs }) => {
      metrics.attempts.inc({ api, settled: outcome })
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
  hints.listen('pump', (bucket) => pumps.wakeBucket(Number(bucket)))
  return {
    stop: async () => {
      await pumps.stop()
      await Promise.all([tokens.stop(), ...[...clients.values()].map((client) => client.stop())])
    },
  }
}

function clientOf(clients: ReadonlyMap<string, FeishuClient>, appId: string): FeishuClient {
  const client = clients.get(appId)
  if (client === undefined) throw new Error(`the app ${appId} is not configured`)
  return client
}
