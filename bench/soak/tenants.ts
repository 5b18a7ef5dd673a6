import type { SandboxApp, SandboxTenant } from '../../src/sandbox/index.js'

const count = 20
/** Tenants that have an app of their own; all others have installed the store app. */
const ownApps = 3

const names = Array.from({ length: count }, (_, index) => String(index + 1).padStart(2, '0'))

function appNamed(name: string, appType: SandboxApp['appType']): SandboxApp {
  return {
    appId: `cli_soak_${name}`,
    appSecret: `secret-${name}`,
    appType,
    encryptKey: `encrypt-${name}`,
    verificationToken: `verify-${name}`,
  }
}

export const storeApp = appNamed('store', 'store')
const customApps = names.slice(0, ownApps).map((name) => appNamed(name, 'custom'))
export const soakApps: readonly SandboxApp[] = [storeApp, ...customApps]

/** One account at each. */
export const soakCustomers = names.map((name, index) => ({
  appId: (customApps[index] ?? storeApp).appId,
  tenantKey: `tk_soak_${name}`,
}))

export const soakTenants: readonly SandboxTenant[] = soakCustomers.map(({ appId, tenantKey }) => ({
  tenantKey,
  appIds: [appId],
}))

/** The share of all orders that comes from the busiest tenant. */
export const busiestShare = 0.15

/** Whose order comes next; `random` in [0, 1). */
export function drawCustomer(random: number): number {
  if (random < busiestShare) return 0
  return 1 + Math.floor(((random - busiestShare) / (1 - busiestShare)) * (count - 1))
}
