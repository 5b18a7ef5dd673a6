import type { FeishuApp } from './apps.js'
import type { ProxySettings } from './proxy.js'
import type { RedisPlace } from './redis.js'
import type { Config } from './shape.js'
import type { Values } from './variables.js'
import { toVendor } from './vendor.js'

const hour = 3_600_000

export interface ReadParts {
  values: Values
  apps: readonly FeishuApp[]
  redis: RedisPlace | undefined
  /** Of an own adapter. */
  environment: Record<string, string>
  proxy: ProxySettings
}

export function toConfig({ values, apps, redis, environment, proxy }: ReadParts): Config {
  return {
    host: values.HOST,
    port: values.PORT,
    ...(values.BGC_INTERNAL_PORT !== undefined && { internalPort: values.BGC_INTERNAL_PORT }),
    trustedProxies: values.BGC_TRUSTED_PROXIES,
    logLevel: values.LOG_LEVEL,
    roles: values.BGC_ROLES,
    dataDir: values.BGC_DATA_DIR,
    apiKeys: values.BGC_API_KEYS,
    encryptionKeys: values.BGC_ENCRYPTION_KEYS,
    reportLinks: {
      mode: values.BGC_REPORT_LINKS,
      ttlMs: values.BGC_REPORT_LINK_TTL_HOURS * hour,
      ...(values.BGC_PUBLIC_URL !== undefined && { publicUrl: values.BGC_PUBLIC_URL }),
    },
    retentionDays: values.BGC_RETENTION_DAYS,
    orderStaleDays: values.BGC_ORDER_STALE_DAYS,
    ...toAlerts(values),
    timeZone: values.BGC_TIME_ZONE,
    stopTimeoutMs: values.BGC_STOP_TIMEOUT_MS,
    drainMs: values.BGC_DRAIN_MS ?? (redis === undefined ? 0 : Math.floor(values.BGC_STOP_TIMEOUT_MS / 5)),
    autoMigrate: values.BGC_AUTO_MIGRATE,
    ...(values.DATABASE_URL !== undefined && { databaseUrl: values.DATABASE_URL }),
    ...(redis !== undefined && { redis }),
    feishu: {
      apps,
      maxEventAgeMs: values.FEISHU_MAX_EVENT_AGE_MS,
      rateLimits: values.FEISHU_RATE_LIMITS,
      rateLimitsSlow: values.FEISHU_RATE_LIMITS_SLOW,
      timeoutMs: values.FEISHU_TIMEOUT_MS,
      retry: {
        baseMs: values.FEISHU_RETRY_BASE_MS,
        maxMs: values.FEISHU_RETRY_MAX_MS,
        maxAgeMs: values.FEISHU_RETRY_MAX_AGE_MS,
      },
    },
    vendor: toVendor(values, environment),
    proxy,
  }
}

function toAlerts({ BGC_ALERT_WEBHOOK_URL: url, BGC_ALERT_WEBHOOK_SECRET: secret }: Values): Pick<Config, 'alerts'> {
  return url === undefined ? {} : { alerts: { url, ...(secret !== undefined && { secret }) } }
}
