import type { SandboxApp } from '../../src/sandbox/index.js'

export interface Settings {
  /** Of part (a), and of part (b), which takes minutes. */
  rounds: number
  rushRounds: number
  /** A steady load, for part (a). */
  ordersPerSecond: number
  steadyMs: number
  tenants: number
  /** At once, in part (b). */
  perTenant: number
  ways: readonly Way[]
}

/** How the service hears of a change at the vendor. */
export type Way = 'nudge' | 'feed' | 'polls'

/** `VENDOR_POLL_MIN_MS` of both parts: also the pause between two looks at the changes feed. */
export const pollMinMs = 1000
/** A stage is reached so long after its order was placed, at the least and at the most; the result as long after it. */
export const stageAfterMs = [500, 3500] as const

export const full: Settings = {
  rounds: 5,
  rushRounds: 2,
  ordersPerSecond: 20,
  steadyMs: 8000,
  tenants: 100,
  perTenant: 100,
  ways: ['nudge', 'feed', 'polls'],
}

export const quick: Settings = {
  rounds: 1,
  rushRounds: 1,
  ordersPerSecond: 20,
  steadyMs: 2000,
  tenants: 100,
  perTenant: 10,
  ways: ['nudge'],
}

export const storeApp: SandboxApp = {
  appId: 'cli_bench_ends',
  appSecret: 'ends-app-secret',
  appType: 'store',
  encryptKey: 'ends-encrypt-key',
  verificationToken: 'ends-verification-token',
}

export const vendorKey = 'vendor-key-of-the-benchmark'
export const operatorKey = 'operator-key-of-24-chars-or-more'

export function tenantsOf({ tenants }: Settings): string[] {
  return Array.from({ length: tenants }, (_, index) => `tk_ends_${index}`)
}
