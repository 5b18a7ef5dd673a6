/** How much of everything; `quick` takes a look at the rates only. */
export interface Settings {
  quick: boolean
  orders: number
  tenants: number
  manyTenants: number
  /** Claims and their settlement, ours and BullMQ's in turns. */
  rounds: number
  roundMs: number
  delayedJobs: number
  pollRounds: number
  pollMs: number
  /** Of so many ms each, after what came due meanwhile is done. */
  lateRounds: number
  lateMs: number
  /** Claims and settlements in each step of the part about bloat. */
  bloatSteps: number
  bloatCycles: number
}

export const full: Settings = {
  quick: false,
  orders: 1_000_000,
  tenants: 500,
  manyTenants: 10_000,
  rounds: 5,
  roundMs: 3000,
  delayedJobs: 40_000,
  pollRounds: 5,
  pollMs: 10_000,
  lateRounds: 5,
  lateMs: 20_000,
  bloatSteps: 5,
  bloatCycles: 750_000,
}

export const quick: Settings = {
  ...full,
  quick: true,
  orders: 100_000,
  rounds: 2,
  roundMs: 800,
  delayedJobs: 8000,
  pollRounds: 1,
  pollMs: 2000,
}

/** As shipped: VENDOR_POLL_MAX_MS. */
export const intervalMs = 1_800_000
export { mostPerClaim } from '../../src/flow/orders/poll.js'
