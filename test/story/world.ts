import { inject } from 'vitest'
import { type App, type Overrides, startApp } from '../../src/app.js'
import { type Config, readConfig } from '../../src/config.js'
import { createLogger } from '../../src/platform/logger.js'
import {
  type FeishuOptions,
  type SandboxApp,
  type SandboxFeishu,
  type SandboxVendor,
  startSandboxFeishu,
  startSandboxVendor,
  type VendorOptions,
} from '../../src/sandbox/index.js'
import { type Gate, startGate } from '../support/gate.js'
import { freshSchema } from '../support/postgres.js'
import { startRedis } from '../support/redis.js'

export { eventually } from '../support/eventually.js'

export const customApp: SandboxApp = {
  appId: 'cli_custom0001',
  appSecret: 'custom-app-secret',
  appType: 'custom',
  encryptKey: 'custom-encrypt-key',
  verificationToken: 'custom-verification-token',
}
export const storeApp: SandboxApp = {
  appId: 'cli_store0001',
  appSecret: 'store-app-secret',
  appType: 'store',
  encryptKey: 'store-encrypt-key',
  verificationToken: 'store-verification-token',
}
export const apiKey = 'operator-key-of-24-chars-or-more'
export const vendorKey = 'vendor-key-of-the-sandbox'

export type Mode = 'one process' | 'redis'
export const modes: Mode[] = ['one process', 'redis']

export interface World {
  feishu: SandboxFeishu
  vendor: SandboxVendor
  gate?: Gate
  apps: App[]
  /** The receiver. */
  url: string
  config: Config
  log: string[]
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }>
  stop(): Promise<void>
}

export interface WorldOptions {
  mode?: Mode
  feishu?: Partial<FeishuOptions>
  vendor?: Partial<VendorOptions>
  env?: Record<string, string>
  overrides?: Overrides
  /** Whether the store app gets its ticket at the start. */
  ticket?: 'none'
  /** A door in front of one side that the test can shut. */
  gated?: 'feishu' | 'vendor'
  /** The roles of each process; one with all of them when left out. */
  processes?: string[]
}

/** A sandbox Feishu, a sandbox vendor and the service between them, on real PostgreSQL and, in its mode, real Redis. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { feishu, vendor } = await startSandboxes(options)
  const redis = options.mode === 'redis' ? await startRedis() : undefined
  const gate = options.gated && (await startGate(options.gated === 'feishu' ? feishu.url : vendor.url))
  const log: string[] = []
  const env = {
    ...environment(feishu, vendor),
    DATABASE_URL: freshSchema(inject('databaseUrl')),
    ...(redis && { REDIS_URL: redis.url }),
    ...options.env,
    ...(gate && { [options.gated === 'feishu' ? 'FEISHU_BASE_URL' : 'VENDOR_BASE_URL']: gate.url }),
  }
  const logger = createLogger('debug', { write: (line) => log.push(line) })
  const apps: App[] = []
  let config = readEnvironment(env)
  for (const roles of options.processes ?? ['receiver,poller,sync']) {
    config = readEnvironment({ ...env, BGC_ROLES: roles })
    apps.push(await startApp(config, logger, { lookAfterMs: [20, 60, 150], ...options.overrides }))
  }
  const url = `http://127.0.0.1:${apps[0]?.port}`
  introduce(feishu, url, options.ticket)
  return {
    feishu,
    vendor,
    ...(gate && { gate }),
    apps,
    url,
    config,
    log,
    api: (method, path, body) => callApi(url, method, path, body),
    stop: async () => {
      await Promise.all(apps.map((app) => app.stop()))
      await Promise.all([gate?.shut(), feishu.stop(), vendor.stop(), redis?.stop()])
    },
  }
}

/** Both sandboxes, with the service's address still to be told. */
export async function startSandboxes(options: Pick<WorldOptions, 'feishu' | 'vendor'> = {}) {
  const feishu = await startSandboxFeishu({
    apps: [customApp, storeApp],
    tenants: [
      { tenantKey: 'tk_custom', appIds: [customApp.appId] },
      { tenantKey: 'tk_store_a', appIds: [storeApp.appId] },
      { tenantKey: 'tk_store_b', appIds: [storeApp.appId] },
    ],
    retryDelaysMs: [100, 300, 1000, 3000],
    ...options.feishu,
  })
  const vendor = await startSandboxVendor({ apiKey: vendorKey, ...options.vendor })
  return { feishu, vendor }
}

/** Of a service whose calls a test holds for as long as it likes. */
export const patient = { FEISHU_TIMEOUT_MS: '30000', VENDOR_TIMEOUT_MS: '30000' }

/** The environment of a service between two sandboxes, but for its database and its queue. */
export function environment(feishu: SandboxFeishu, vendor: SandboxVendor): Record<string, string> {
  return {
    HOST: '127.0.0.1',
    PORT: '0',
    BGC_API_KEYS: `test:${apiKey}`,
    BGC_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
    FEISHU_BASE_URL: feishu.url,
    FEISHU_APPS_FILE: '/apps.json',
    FEISHU_RETRY_BASE_MS: '20',
    FEISHU_RETRY_MAX_MS: '200',
    FEISHU_TIMEOUT_MS: '3000',
    VENDOR_BASE_URL: vendor.url,
    VENDOR_API_KEY: vendorKey,
    VENDOR_TIMEOUT_MS: '3000',
    VENDOR_POLL_MIN_MS: '40',
    VENDOR_POLL_MAX_MS: '200',
  }
}

function readEnvironment(env: Record<string, string>): Config {
  return readConfig(env, () => appsFile)
}

/** Tells the sandbox Feishu where the service is, as a developer does in the console, and gives the store app its ticket. */
export function introduce(feishu: SandboxFeishu, url: string, ticket?: 'none'): void {
  for (const { appId } of [customApp, storeApp]) feishu.setEventUrl(appId, `${url}/webhooks/feishu/${appId}/events`)
  if (ticket !== 'none') feishu.sendAppTicket(storeApp.appId)
}

export const appsFile = JSON.stringify([customApp, storeApp].map(appEntry))

function appEntry(app: SandboxApp) {
  return {
    app_id: app.appId,
    app_secret: app.appSecret,
    app_type: app.appType,
    encrypt_key: app.encryptKey,
    verification_token: app.verificationToken,
  }
}

export async function callApi(url: string, method: string, path: string, body?: unknown) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }
}
