import { benchApp } from '../support/service-env.js'

export interface Settings {
  rounds: number
  /** A steady load, for part (a). */
  ordersPerSecond: number
  steadyMs: number
  tenants: number
  /** At once, in part (b). */
  perTenant: number
  ways: readonly Way[]
  /** A stage is reached so long after its order was placed, at random; in part (b) the result as long after it. */
  stageAfterMs: Span
  /** The result after the stage, in part (a): nothing is measured of it, but all of them have to arrive. */
  resultAfterMs: Span
}

export type Span = readonly [least: number, most: number]

/** How the service hears of a change at the vendor. */
export type Way = 'nudge' | 'feed' | 'polls'

/** `VENDOR_POLL_MIN_MS` of both parts: also the pause between two looks at the changes feed. */
export const pollMinMs = 1000

export const full: Settings = {
  rounds: 5,
  ordersPerSecond: 20,
  steadyMs: 8000,
  tenants: 100,
  perTenant: 100,
  ways: ['nudge', 'feed', 'polls'],
  stageAfterMs: [500, 3500],
  resultAfterMs: [100, 500],
}

export const quick: Settings = {
  rounds: 1,
  ordersPerSecond: 20,
  steadyMs: 2000,
  tenants: 100,
  perTenant: 5,
  ways: ['nudge'],
  stageAfterMs: [200, 1000],
  resultAfterMs: [100, 500],
}

export const storeApp = benchApp('ends', 'store')

export const vendorKey = 'vendor-key-of-the-benchmark'
export const operatorKey = 'operator-key-of-24-chars-or-more'

export function tenantsOf({ tenants }: Settings): string[] {
  return Array.from({ length: tenants }, (_, index) => `tk_ends_${index}`)
}
