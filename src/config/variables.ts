import type { z } from 'zod'
import {
  apiKeys,
  baseUrl,
  count,
  encryptionKeys,
  flag,
  listOf,
  milliseconds,
  networks,
  oneOf,
  port,
  rateWindows,
  text,
  timeZone,
  url,
} from './parsers.js'
import { redisNodes } from './redis-nodes.js'

/** One environment variable. `.env.example` and docs/environment.md are written from this table. */
export interface Variable<T> {
  parse: z.ZodType<T, string>
  /** Text that stands in when the variable is not set; a variable without one is optional. */
  fallback?: string
  /** Never shown in a complaint, and readable from the file that `NAME_FILE` names. */
  secret?: true
  /** When it must be set, as the end of a sentence that begins with "required". */
  required?: string
  about: string
  /** What stands in .env.example; a variable with a default shows that. */
  example?: string
}

export const roles = ['receiver', 'poller', 'sync'] as const
export type Role = (typeof roles)[number]

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
const day = 86_400_000
const withoutFile = 'unless FEISHU_APPS_FILE lists the apps'
const forHttp = 'for the adapter http'

export const variables = {
  HOST: { parse: text, fallback: '0.0.0.0', about: 'Address of the public listener.' },
  PORT: { parse: port, fallback: '3000', about: 'Port of the public listener; 0 takes a free one.' },
  BGC_INTERNAL_PORT: {
    parse: port,
    about:
      'When set, /metrics, /v1, /console, /docs and /openapi.json answer only on this port, and the public listener keeps the webhook, /reports and the health checks.',
    example: '3001',
  },
  BGC_TRUSTED_PROXIES: {
    parse: networks,
    fallback: '',
    about:
      'Addresses or ranges of the proxies in front of this service, comma-separated. X-Forwarded-For is believed where it comes from them, from its right end up to the first address that is none of them.',
    example: '10.0.0.0/8,fd00::/8',
  },
  LOG_LEVEL: {
    parse: oneOf(logLevels),
    fallback: 'info',
    about: `Least level that is logged: ${logLevels.join(', ')}.`,
  },
  BGC_ROLES: {
    parse: listOf(roles),
    fallback: roles.join(','),
    about:
      'What this process does. `receiver`: all HTTP. `poller`: effects of events and all calls to the vendor. `sync`: all calls to Feishu.',
  },
  BGC_DATA_DIR: { parse: text, fallback: './.data', about: 'Home of the embedded PostgreSQL.' },
  BGC_API_KEYS: {
    parse: apiKeys,
    fallback: '',
    secret: true,
    about:
      'Keys of /v1: `name:secret[:scopes]`, comma-separated; scopes joined by `+` out of read, operate, reveal, erase, notify (none given: all); secrets of 24 characters or more. Without any key /v1 answers 401 to everyone.',
    example: 'ops:replace-with-24-or-more-characters',
  },
  BGC_ENCRYPTION_KEYS: {
    parse: encryptionKeys,
    fallback: '',
    secret: true,
    required: 'when NODE_ENV=production',
    about:
      'Keys that seal personal data in the database: `id:base64-of-32-bytes`, comma-separated; the first encrypts, all decrypt. `openssl rand -base64 32` makes one.',
    example: 'k1:replace-with-base64-of-32-bytes',
  },
  BGC_PUBLIC_URL: {
    parse: baseUrl,
    about: 'Public base URL of this service, for links to reports; required when BGC_REPORT_LINKS=proxy.',
    example: 'https://bgc.example.com',
  },
  BGC_REPORT_LINKS: {
    parse: oneOf(['passthrough', 'proxy']),
    fallback: 'passthrough',
    about:
      "What Feishu gets for a report: `passthrough`: the vendor's own link; `proxy`: a link below /reports/ of this service, which streams the vendor's file.",
  },
  BGC_REPORT_LINK_TTL_HOURS: {
    parse: count(1, 87_600),
    fallback: '720',
    about: 'How long a link below /reports/ can be used after it was sent, in hours.',
  },
  BGC_RETENTION_DAYS: {
    parse: count(1, 36_500),
    fallback: '180',
    about: 'Personal data of orders that ended, or did not change, this many days ago is erased.',
  },
  BGC_ORDER_STALE_DAYS: {
    parse: count(1, 3650),
    fallback: '7',
    about: 'An open order without a change for this many days is flagged `stale`.',
  },
  BGC_ALERT_WEBHOOK_URL: {
    parse: url('http:', 'https:'),
    secret: true,
    about: 'Webhook of a bot in a Feishu group, which gets alerts and a daily digest, without personal data.',
    example: 'https://open.feishu.cn/open-apis/bot/v2/hook/xxxxxxxx',
  },
  BGC_ALERT_WEBHOOK_SECRET: {
    parse: text,
    secret: true,
    about: 'Secret that the bot checks signatures with, where it is set up so.',
    example: 'replace-me',
  },
  BGC_TIME_ZONE: {
    parse: timeZone,
    fallback: 'Asia/Shanghai',
    about: 'Time zone of the console and of digests. The API speaks UTC.',
  },
  BGC_STOP_TIMEOUT_MS: {
    parse: milliseconds(0, 600_000),
    fallback: '25000',
    about: 'Longest graceful stop, in ms: no new work at once, calls in flight finish and settle.',
  },
  BGC_DRAIN_MS: {
    parse: milliseconds(0, 300_000),
    about:
      'At SIGTERM the doors stay open for so long, in ms, while /readyz says 503 and nothing new is begun; part of BGC_STOP_TIMEOUT_MS. Not set: a fifth of that with Redis, and 0 without, where no other process could take over.',
    example: '5000',
  },
  BGC_AUTO_MIGRATE: { parse: flag, fallback: 'true', about: 'Apply migrations at start.' },
  DATABASE_URL: {
    parse: url('postgresql:', 'postgres:'),
    secret: true,
    about: 'PostgreSQL 14 or later in session mode. Not set: an embedded PostgreSQL below BGC_DATA_DIR.',
    example: 'postgresql://bgc:password@127.0.0.1:5432/bgc',
  },
  REDIS_URL: {
    parse: url('redis:', 'rediss:'),
    secret: true,
    about:
      'Redis 7 or Valkey with maxmemory-policy noeviction. Without it, REDIS_CLUSTER_NODES and REDIS_SENTINELS the queue runs on PostgreSQL, for one process. docs/redis.md says more.',
    example: 'redis://127.0.0.1:6379',
  },
  REDIS_CLUSTER_NODES: {
    parse: redisNodes,
    about: 'Some nodes of a Redis Cluster, comma-separated, instead of REDIS_URL; they tell of the others.',
    example: 'redis-1:6379,redis-2:6379,redis-3:6379',
  },
  REDIS_SENTINELS: {
    parse: redisNodes,
    about: 'The sentinels of a Redis with failover, comma-separated, instead of REDIS_URL; with REDIS_SENTINEL_NAME.',
    example: 'sentinel-1:26379,sentinel-2:26379,sentinel-3:26379',
  },
  REDIS_SENTINEL_NAME: { parse: text, about: 'What the sentinels call the primary.', example: 'mymaster' },
  REDIS_SENTINEL_PASSWORD: {
    parse: text,
    secret: true,
    about: 'Password of the sentinels, where they want one.',
    example: 'replace-me',
  },
  REDIS_USERNAME: {
    parse: text,
    about: 'User of a cluster, or of the Redis that sentinels watch. With REDIS_URL it is part of that.',
    example: 'bgc',
  },
  REDIS_PASSWORD: {
    parse: text,
    secret: true,
    about: 'Password that goes with it, or that all nodes share.',
    example: 'replace-me',
  },
  REDIS_TLS: {
    parse: flag,
    about: 'Whether a cluster, or sentinels and what they watch, speak TLS. With REDIS_URL it is `rediss://`.',
    example: 'true',
  },
  FEISHU_BASE_URL: {
    parse: baseUrl,
    fallback: 'https://open.feishu.cn',
    about: 'Where Feishu is: https://open.feishu.cn, https://open.larksuite.com, or a sandbox.',
  },
  FEISHU_APP_ID: {
    parse: text,
    required: withoutFile,
    about: 'The app, when there is one. Several apps: FEISHU_APPS_FILE.',
    example: 'cli_xxxxxxxxxxxx',
  },
  FEISHU_APP_SECRET: {
    parse: text,
    secret: true,
    required: withoutFile,
    about: 'The secret of the app.',
    example: 'replace-me',
  },
  FEISHU_ENCRYPT_KEY: {
    parse: text,
    secret: true,
    required: withoutFile,
    about: 'Encrypt Key of the app; events that are not encrypted are refused.',
    example: 'replace-me',
  },
  FEISHU_VERIFICATION_TOKEN: {
    parse: text,
    secret: true,
    required: withoutFile,
    about: 'Verification Token of the app.',
    example: 'replace-me',
  },
  FEISHU_APP_TYPE: {
    parse: oneOf(['custom', 'store']),
    fallback: 'custom',
    about: "`custom`: one customer's own app. `store`: an app from the store, with many tenants.",
  },
  FEISHU_APPS_FILE: {
    parse: text,
    about:
      'File with a JSON list of apps `{app_id, app_secret, app_type, encrypt_key, verification_token, base_url?}`, instead of the single one.',
    example: '/run/secrets/feishu-apps.json',
  },
  FEISHU_MAX_EVENT_AGE_MS: {
    parse: milliseconds(1000, 30 * day),
    fallback: '32400000',
    about:
      "Signed timestamps older than this are refused, in ms. The default of 9 h exceeds Feishu's last retry at 7.1 h.",
  },
  FEISHU_RATE_LIMITS: {
    parse: rateWindows,
    fallback: '50/1s,1000/60s',
    about: 'Windows that hold together, for each app, tenant and API method.',
  },
  FEISHU_RATE_LIMITS_SLOW: {
    parse: rateWindows,
    fallback: '10/1s',
    about: 'The same for the methods that Feishu allows 10/s: tripartite agreements and the order query.',
  },
  FEISHU_TIMEOUT_MS: {
    parse: milliseconds(100, 120_000),
    fallback: '10000',
    about: 'One call to Feishu, whole, in ms.',
  },
  FEISHU_RETRY_BASE_MS: {
    parse: milliseconds(1, 600_000),
    fallback: '1000',
    about: 'First backoff, in ms; doubles with full jitter.',
  },
  FEISHU_RETRY_MAX_MS: { parse: milliseconds(1, day), fallback: '900000', about: 'Longest backoff, in ms.' },
  FEISHU_RETRY_MAX_AGE_MS: {
    parse: milliseconds(1000, 30 * day),
    fallback: '259200000',
    about:
      'Age in ms, counted from the first attempt without time spent waiting for limits or holds, past which a delivery is dead; a stage that others wait behind, after a twelfth of it.',
  },
  VENDOR_ADAPTER: {
    parse: text,
    fallback: 'http',
    about: '`http`, or the path of a module with an own adapter, whose own VENDOR_* names come with it.',
  },
  VENDOR_BASE_URL: {
    parse: baseUrl,
    required: forHttp,
    about: "Where the vendor's system is.",
    example: 'https://vendor.example.com/feishu',
  },
  VENDOR_API_KEY: {
    parse: text,
    secret: true,
    required: forHttp,
    about: "Bearer key for the vendor's system.",
    example: 'replace-me',
  },
  VENDOR_TIMEOUT_MS: {
    parse: milliseconds(100, 120_000),
    fallback: '10000',
    about: 'One call to the vendor, whole, in ms.',
  },
  VENDOR_POLL_MIN_MS: {
    parse: milliseconds(10, 7 * day),
    fallback: '30000',
    about: 'An order is polled this often after a change, in ms.',
  },
  VENDOR_POLL_MAX_MS: {
    parse: milliseconds(10, 7 * day),
    fallback: '1800000',
    about: 'And ever less often up to this, in ms, while nothing changes.',
  },
  VENDOR_CONCURRENCY: {
    parse: count(1, 1000),
    fallback: '16',
    about: 'Calls to the vendor in flight for each process.',
  },
  VENDOR_RATE_LIMITS: {
    parse: rateWindows,
    about:
      'Windows that hold together over all processes for calls to the vendor, a quarter of each kept for orders and cancels. None when left out.',
    example: '20/1s,600/60s',
  },
} satisfies Record<string, Variable<unknown>>

export type VariableName = keyof typeof variables

export type Values = {
  [Name in VariableName]: (typeof variables)[Name] extends { fallback: string }
    ? z.output<(typeof variables)[Name]['parse']>
    : z.output<(typeof variables)[Name]['parse']> | undefined
}
