import type { RateLimit } from '../support/windows.js'
import { apis } from './apis.js'
import { applySwitches, defaultSwitches, type Switches } from './switches.js'

export type SandboxApp = {
  appId: string
  appSecret: string
  appType: 'custom' | 'store'
  encryptKey: string
  verificationToken: string
  /** Where events go; may be set later. */
  eventUrl?: string
  /** Granted scopes; all that the API table knows when left out. */
  scopes?: readonly string[]
}

export type SandboxTenant = {
  tenantKey: string
  /** Apps that are installed here; a custom app belongs to one tenant only. */
  appIds: readonly string[]
  /** Whether results wait for an administrator; the switch of that name when left out. */
  reportApproval?: boolean
  /** "Maintain tripartite agreements through the API" (contract §3.9); on when left out. */
  tripartiteSwitch?: boolean
}

export type FeishuOptions = {
  port?: number
  host?: string
  apps: readonly SandboxApp[]
  tenants: readonly SandboxTenant[]
  switches?: Partial<Switches>
  /** Default 50/1 s and 1000/60 s (tier 4). */
  rateLimits?: readonly RateLimit[]
  /** Default 10/1 s (tier 7): tripartite agreements and order `batch_query`. */
  slowRateLimits?: readonly RateLimit[]
  /** Default 15 s, 5 min, 1 h, 6 h (contract §2). */
  retryDelaysMs?: readonly number[]
  /** How long an acknowledgement may take, in all; default 3000. */
  ackTimeoutMs?: number
  /** Events under way at once, by the schedule; those sent by hand come on top. Default 256. */
  pushesInFlight?: number
  /** Added to every API call, half before and half after it takes effect. */
  latencyMs?: number
  /** Life of a token; default 7200 s, the most that Feishu gives. */
  tokenLifeSeconds?: number
  /** Between `app_ticket/resend` and the event; default 0. */
  ticketDelayMs?: number
}

export type Settings = Required<Omit<FeishuOptions, 'switches' | 'apps' | 'tenants'>> & { switches: Switches }

export function readOptions(options: FeishuOptions): Settings {
  const switches = defaultSwitches()
  applySwitches(switches, options.switches ?? {})
  return {
    port: options.port ?? 0,
    host: options.host ?? '127.0.0.1',
    rateLimits: options.rateLimits ?? [
      { limit: 50, windowMs: 1000 },
      { limit: 1000, windowMs: 60_000 },
    ],
    slowRateLimits: options.slowRateLimits ?? [{ limit: 10, windowMs: 1000 }],
    retryDelaysMs: options.retryDelaysMs ?? [15_000, 300_000, 3_600_000, 21_600_000],
    ackTimeoutMs: options.ackTimeoutMs ?? 3000,
    pushesInFlight: options.pushesInFlight ?? 256,
    latencyMs: options.latencyMs ?? 0,
    tokenLifeSeconds: options.tokenLifeSeconds ?? 7200,
    ticketDelayMs: options.ticketDelayMs ?? 0,
    switches,
  }
}

export const everyScope: readonly string[] = [...new Set(apis.flatMap((api): readonly string[] => api.scopes))]
