import { benchApp } from '../support/service-env.js'

/** How much of everything. */
export interface Settings {
  quick: boolean
  rounds: number
  connections: number
  warmUpEvents: number
  /** Per round, the same for both doors: some 8 s of what the service does in the full form. */
  events: number
  steadyPerSecond: number
  steadyRounds: number
  steadySeconds: number
}

const connections = 64
const steadyPerSecond = 500

export const full: Settings = {
  quick: false,
  rounds: 5,
  connections,
  warmUpEvents: 15_000,
  events: 40_000,
  steadyPerSecond,
  steadyRounds: 5,
  steadySeconds: 10,
}

export const quick: Settings = {
  quick: true,
  rounds: 2,
  connections,
  warmUpEvents: 3000,
  events: 5000,
  steadyPerSecond,
  steadyRounds: 1,
  steadySeconds: 2,
}

export const app = benchApp('intake', 'custom')

export const path = '/webhooks/feishu/events'
export const eventType = 'hire.eco_background_check.created_v1'
