import type { Parts } from '../../app.js'
import type { RateWindow } from '../../platform/limiter/limiter.js'
import { readProxies } from '../../platform/proxy.js'
import { apis, type FeishuApi } from './apis.js'
import { createFeishuClient, type FeishuClient } from './client.js'
import { countReads } from './read-calls.js'
import { createReads, type FeishuReads } from './reads.js'
import { createTokens, type Tokens } from './tokens.js'
import { createTokenStore } from './tokens-store.js'

/** What every call to Feishu needs: a client for each app, tokens, the windows, and questions on top of them. */
export interface FeishuAccess {
  tokens: Tokens
  reads: FeishuReads
  clientOf: (appId: string) => FeishuClient
  windowsOf: (api: string) => readonly RateWindow[]
  stop(): Promise<void>
}

/** Loads the SDK, which takes a moment: where Feishu is asked now and then only, build it at the first question. */
export function createFeishuAccess(
  parts: Pick<Parts, 'config' | 'database' | 'sealer' | 'log' | 'limiter' | 'random'> & Partial<Pick<Parts, 'metrics'>>,
) {
  const { config, database, sealer, log, limiter, random } = parts
  const { apps, timeoutMs, rateLimits, rateLimitsSlow } = config.feishu
  const proxy = readProxies(config.proxy)
  const store = createTokenStore(database.pool, sealer)
  const onError = (err: unknown) => log.warn({ event: 'tokens.error', err }, 'a token could not be kept')
  const tokens = createTokens({ apps, store, timeoutMs, proxy, random, onError })
  const clients = new Map(
    apps.map(({ appId, baseUrl }) => [appId, createFeishuClient({ appId, baseUrl, timeoutMs, proxy })]),
  )
  const windowsOf = (api: string) => (apis[api as FeishuApi].rate === 'slow' ? rateLimitsSlow : rateLimits)
  const clientOf = (appId: string) => find(clients, appId)
  const readCalls = countReads({
    database,
    log,
    onRead: (api, outcome) => {
      parts.metrics?.reads.inc({ api, outcome })
      if (outcome === 'limited') parts.metrics?.limited.inc({ api })
    },
  })
  const reads = createReads({ database, limiter, tokens, clientOf, windowsOf, timeoutMs, onCall: readCalls.count })
  const access: FeishuAccess = {
    tokens,
    reads,
    clientOf,
    windowsOf,
    stop: async () => {
      await readCalls.idle()
      await Promise.all([tokens.stop(), ...[...clients.values()].map((client) => client.stop())])
    },
  }
  return access
}

function find(clients: ReadonlyMap<string, FeishuClient>, appId: string): FeishuClient {
  const client = clients.get(appId)
  if (client === undefined) throw new Error(`the app ${appId} is not configured`)
  return client
}
