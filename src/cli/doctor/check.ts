import type { Config } from '../../config.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database } from '../../platform/database/database.js'

/** What a check found. `remedy` says what to do, in words of this service's own names. */
export type Found =
  | { kind: 'ok'; detail: string }
  /** Works, and will hurt one day. */
  | { kind: 'doubt'; problem: string; remedy: string }
  | { kind: 'wrong'; problem: string; remedy: string }
  | { kind: 'skipped'; detail: string }

export interface Check {
  name: string
  run(ground: Ground): Promise<Found[]>
}

export interface Ground {
  config: Config
  /** Where events are tried: this address and no other. */
  eventUrl?: string
  database: Database
  sealer: Sealer
}

export const ok = (detail: string): Found[] => [{ kind: 'ok', detail }]
export const wrong = (problem: string, remedy: string): Found[] => [{ kind: 'wrong', problem, remedy }]
export const doubt = (problem: string, remedy: string): Found[] => [{ kind: 'doubt', problem, remedy }]
export const skipped = (detail: string): Found[] => [{ kind: 'skipped', detail }]
