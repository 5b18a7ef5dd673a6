import { type SandboxFeishu, startSandboxFeishu } from './feishu/server.js'
import { demoScript } from './vendor/scripts.js'
import { type SandboxVendor, startSandboxVendor } from './vendor/server.js'

export type SandboxOptions = {
  host?: string
  /** Default 4010; 0 takes any that is free. */
  feishuPort?: number
  /** Default 4020. */
  vendorPort?: number
  /** Where the service listens; events and nudges go there. Default http://127.0.0.1:3000. */
  serviceUrl?: string
  appType?: 'custom' | 'store'
  /** A key of the service with the scope `notify`: then the vendor says when an order changes. */
  notifyKey?: string
  /** Between the steps of a check. Default 1500; `by_hand` waits for the control API. */
  paceMs?: number | 'by_hand'
}
export type SandboxIo = { write(line: string): void }
export type RunningSandbox = { feishu: SandboxFeishu; vendor: SandboxVendor; stop(): Promise<void> }

/** Made up, and the same in every sandbox: they open nothing else. */
const app = {
  appId: 'cli_sandbox0000001',
  appSecret: 'sandbox-app-secret',
  encryptKey: 'sandbox-encrypt-key',
  verificationToken: 'sandbox-verification-token',
}
const tenantKey = 'tk_sandbox_01'
const vendorKey = 'sandbox-vendor-key'

/** `bgc sandbox`: a Feishu and a vendor to develop against, with the environment that points the service at them. */
export async function runSandbox(options: SandboxOptions, io: SandboxIo): Promise<RunningSandbox> {
  const { host = '127.0.0.1', serviceUrl = 'http://127.0.0.1:3000', appType = 'custom', paceMs = 1500 } = options
  const service = serviceUrl.replace(/\/$/, '')
  const feishu = await startSandboxFeishu({
    host,
    port: options.feishuPort ?? 4010,
    apps: [{ ...app, appType, eventUrl: `${service}/webhooks/feishu/${app.appId}/events` }],
    tenants: [{ tenantKey, appIds: [app.appId] }],
  })
  const vendor = await startVendor(options, { host, service, paceMs }).catch(async (error: unknown) => {
    await feishu.stop()
    throw error
  })
  for (const line of introduction(feishu, vendor, appType)) io.write(line)
  return {
    feishu,
    vendor,
    stop: async () => {
      await Promise.all([feishu.stop(), vendor.stop()])
    },
  }
}

function startVendor(
  { vendorPort = 4020, notifyKey }: SandboxOptions,
  { host, service, paceMs }: { host: string; service: string; paceMs: number | 'by_hand' },
): Promise<SandboxVendor> {
  return startSandboxVendor({
    host,
    port: vendorPort,
    apiKey: vendorKey,
    scenario: demoScript(paceMs),
    ...(notifyKey === undefined ? {} : { notify: { url: service, key: notifyKey } }),
  })
}

function introduction(feishu: SandboxFeishu, vendor: SandboxVendor, appType: string): string[] {
  const account = JSON.stringify({
    appId: app.appId,
    tenantKey,
    customFields: [{ key: 'vendor_org_id', value: 'ORG-88231' }],
  })
  const order = JSON.stringify({ appId: app.appId, tenantKey, accountId: '…', packageId: 'pkg-std-01' })
  return [
    `Sandbox Feishu on ${feishu.url}, sandbox vendor on ${vendor.url}.`,
    '',
    'Point the service at them:',
    '',
    `export FEISHU_BASE_URL=${feishu.url}`,
    `export FEISHU_APP_ID=${app.appId}`,
    `export FEISHU_APP_SECRET=${app.appSecret}`,
    `export FEISHU_APP_TYPE=${appType}`,
    `export FEISHU_ENCRYPT_KEY=${app.encryptKey}`,
    `export FEISHU_VERIFICATION_TOKEN=${app.verificationToken}`,
    `export VENDOR_BASE_URL=${vendor.url}`,
    `export VENDOR_API_KEY=${vendorKey}`,
    '',
    'Then bind an account, and order a check with the account id that comes back:',
    '',
    `curl -s ${feishu.url}/_sandbox/accounts -d '${account}'`,
    `curl -s ${feishu.url}/_sandbox/orders -d '${order}'`,
    '',
    `Everything else: ${feishu.url}/_sandbox and ${vendor.url}/_sandbox list what can be asked of them.`,
  ]
}
