import type { FeishuApp } from './apps.js'
import type { ApiKey, EncryptionKey, Network, RateWindow } from './parsers.js'
import type { ProxySettings } from './proxy.js'
import type { RedisPlace } from './redis.js'
import type { Role } from './variables.js'

/** Everything the service reads from its environment. Times are milliseconds. */
export interface Config {
  host: string
  port: number
  internalPort?: number
  trustedProxies: readonly Network[]
  logLevel: string
  roles: readonly Role[]
  dataDir: string
  apiKeys: readonly ApiKey[]
  encryptionKeys: readonly EncryptionKey[]
  /** Where Feishu gets reports from; `publicUrl` is there when they are proxied. */
  reportLinks: { mode: 'passthrough' | 'proxy'; ttlMs: number; publicUrl?: string }
  retentionDays: number
  orderStaleDays: number
  /** A bot in a Feishu group. */
  alerts?: { url: string; secret?: string }
  timeZone: string
  stopTimeoutMs: number
  /** The part of it, at SIGTERM, for which the doors of a receiver stay open. */
  drainMs: number
  autoMigrate: boolean
  databaseUrl?: string
  /** None: one process. */
  redis?: RedisPlace
  feishu: {
    apps: readonly FeishuApp[]
    maxEventAgeMs: number
    rateLimits: readonly RateWindow[]
    rateLimitsSlow: readonly RateWindow[]
    timeoutMs: number
    retry: { baseMs: number; maxMs: number; maxAgeMs: number }
  }
  vendor: {
    adapter: string
    baseUrl?: string
    apiKey?: string
    timeoutMs: number
    pollMinMs: number
    pollMaxMs: number
    concurrency: number
    /** None: calls are limited by `concurrency` alone. */
    rateLimits: readonly RateWindow[]
    /** VENDOR_* names that belong to an own adapter. */
    environment: Readonly<Record<string, string>>
  }
  proxy: ProxySettings
}
