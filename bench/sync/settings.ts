import { benchApp } from '../support/service-env.js'

export interface Window {
  limit: number
  windowMs: number
}

/** How much of everything; the quick form has a shorter long window, and leaves out what a short time cannot tell. */
export interface Settings {
  quick: boolean
  rounds: number
  short: Window
  long: Window
  /** Due at once in part (a). */
  dueAtOnce: number
  latenciesMs: readonly number[]
  tenants: number
  perTenant: number
  /** Of each loop beside the service: before the clock starts, and after it, where so many take seconds. */
  warmUpCalls: number
  loopPerTenant: number
  noisyBacklog: number
  quietTenants: number
  quietMs: number
  comparisonMs: number
}

const second = { limit: 50, windowMs: 1000 }

export const full: Settings = {
  quick: false,
  rounds: 5,
  short: second,
  long: { limit: 1000, windowMs: 60_000 },
  dueAtOnce: 1100,
  latenciesMs: [20, 200],
  tenants: 500,
  perTenant: 40,
  warmUpCalls: 5000,
  loopPerTenant: 200,
  noisyBacklog: 10_000,
  quietTenants: 10,
  quietMs: 20_000,
  comparisonMs: 125_000,
}

export const quick: Settings = {
  quick: true,
  rounds: 1,
  short: second,
  long: { limit: 125, windowMs: 3000 },
  dueAtOnce: 150,
  latenciesMs: [20],
  tenants: 100,
  perTenant: 40,
  warmUpCalls: 3000,
  loopPerTenant: 100,
  noisyBacklog: 2000,
  quietTenants: 10,
  quietMs: 3000,
  comparisonMs: 7500,
}

export const windowsOf = ({ short, long }: Settings): Window[] => [short, long]

export const customApp = benchApp('custom', 'custom')
export const storeApp = benchApp('store', 'store')
