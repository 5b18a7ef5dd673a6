import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startApp } from '../../app.js'
import { type Config, readConfig } from '../../config.js'
import { Lifetime, type Started } from '../../platform/lifetime.js'
import { createLogger } from '../../platform/logger.js'
import {
  type SandboxApp,
  type SandboxFeishu,
  type SandboxVendor,
  startSandboxFeishu,
  startSandboxVendor,
} from '../index.js'
import { customers } from './lives.js'

/** Everything that the demo needs, running: the service as it is in production, between a Feishu and a vendor of ours. */
export interface Stage extends Started {
  feishu: SandboxFeishu
  vendor: SandboxVendor
  /** Of the service. */
  url: string
  apiKey: string
  folder: string
  logFile: string
  /** The last warnings and errors of the service. */
  warnings: readonly string[]
}

/** Made up, and the same in every demo: they open nothing else. */
export const demoApps: Record<'store' | 'custom', SandboxApp> = {
  store: {
    appId: 'cli_demostore00001',
    appSecret: 'demo-store-app-secret',
    appType: 'store',
    encryptKey: 'demo-store-encrypt-key',
    verificationToken: 'demo-store-verification-token',
  },
  custom: {
    appId: 'cli_democustom0001',
    appSecret: 'demo-custom-app-secret',
    appType: 'custom',
    encryptKey: 'demo-custom-encrypt-key',
    verificationToken: 'demo-custom-verification-token',
  },
}
const vendorKey = 'demo-vendor-key'
const warningsKept = 20
/** Feishu is asked so soon whether it took a call whose answer was lost; the service in production has more patience. */
const lookAfterMs = [500, 1000, 2000]

export async function startStage(): Promise<Stage> {
  const lifetime = new Lifetime()
  try {
    return await fillStage(lifetime)
  } catch (failure) {
    await lifetime.stop()
    throw failure
  }
}

async function fillStage(lifetime: Lifetime): Promise<Stage> {
  const folder = await makeFolder(lifetime)
  const feishu = await lifetime.start(startFeishu())
  const vendor = await lifetime.start(startSandboxVendor({ apiKey: vendorKey }))
  const logFile = join(folder, 'service.log')
  const warnings: string[] = []
  const log = createLogger('info', keepLog(lifetime, logFile, warnings))
  const apiKey = randomBytes(24).toString('base64url')
  const config = readDemoConfig({ feishuUrl: feishu.url, vendorUrl: vendor.url, folder, apiKey })
  const app = await lifetime.start(startApp(config, log, { lookAfterMs }))
  const url = `http://127.0.0.1:${app.port}`
  for (const { appId } of Object.values(demoApps)) feishu.setEventUrl(appId, `${url}/webhooks/feishu/${appId}/events`)
  return { feishu, vendor, url, apiKey, folder, logFile, warnings, stop: () => lifetime.stop() }
}

async function makeFolder(lifetime: Lifetime): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-demo-'))
  lifetime.add({ stop: () => rm(folder, { recursive: true, force: true }) })
  // PostgreSQL does not run as root: another account has to pass through here to its data, which stay private.
  await chmod(folder, 0o711)
  return folder
}

function startFeishu(): Promise<SandboxFeishu> {
  return startSandboxFeishu({
    apps: Object.values(demoApps),
    tenants: Object.values(customers).map(({ tenantKey, app, reportApproval }) => ({
      tenantKey,
      appIds: [demoApps[app].appId],
      reportApproval,
    })),
    // Feishu's own are 15 s, 5 min, 1 h, 6 h.
    retryDelaysMs: [1500, 3000, 6000, 12_000],
    switches: { repeatAcknowledged: true },
  })
}

function keepLog(lifetime: Lifetime, file: string, warnings: string[]) {
  const stream = createWriteStream(file, { mode: 0o600 })
  lifetime.add({ stop: () => new Promise((resolve) => stream.end(resolve)) })
  return {
    write: (line: string) => {
      stream.write(line)
      if (!/"level":"(warn|error|fatal)"/.test(line)) return
      warnings.push(line.trimEnd())
      if (warnings.length > warningsKept) warnings.shift()
    },
  }
}

interface Places {
  feishuUrl: string
  vendorUrl: string
  folder: string
  apiKey: string
}

/** As an operator would set it, only that nothing waits for minutes. */
function readDemoConfig({ feishuUrl, vendorUrl, folder, apiKey }: Places): Config {
  const environment = {
    HOST: '127.0.0.1',
    PORT: '0',
    BGC_DATA_DIR: join(folder, 'data'),
    BGC_API_KEYS: `demo:${apiKey}`,
    BGC_ENCRYPTION_KEYS: `demo:${randomBytes(32).toString('base64')}`,
    FEISHU_BASE_URL: feishuUrl,
    FEISHU_APPS_FILE: 'apps.json',
    FEISHU_TIMEOUT_MS: '1500',
    FEISHU_RETRY_BASE_MS: '500',
    FEISHU_RETRY_MAX_MS: '2000',
    VENDOR_BASE_URL: vendorUrl,
    VENDOR_API_KEY: vendorKey,
    VENDOR_TIMEOUT_MS: '1500',
    VENDOR_POLL_MIN_MS: '300',
    VENDOR_POLL_MAX_MS: '1000',
  }
  return readConfig(environment, () => JSON.stringify(Object.values(demoApps).map(appEntry)))
}

function appEntry({ appId, appSecret, appType, encryptKey, verificationToken }: SandboxApp) {
  return {
    app_id: appId,
    app_secret: appSecret,
    app_type: appType,
    encrypt_key: encryptKey,
    verification_token: verificationToken,
  }
}
