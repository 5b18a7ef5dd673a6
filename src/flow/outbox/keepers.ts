import type { Sql } from '../../platform/database/database.js'
import type { DeadClass, OtherBody } from '../map.js'
import type { Revived } from './revive.js'

/** A delivery that belongs to no order: to a catalog, to the form of a tenant, to an agreement. */
export interface OtherDelivery {
  id: string
  lane: string
  appId: string
  tenantKey: string
  content: OtherBody
}

export interface SettledOther extends OtherDelivery {
  state: 'delivered' | 'superseded' | 'dead'
  class: DeadClass | null
  /** False where Feishu's yes was inferred. */
  confirmed: boolean
  /** Of an agreement that was created, or was there already. */
  answer: { id: string } | null
}

/** What a room does with the deliveries of its own lanes. */
export interface LaneKeeper {
  /** What the names of its lanes begin with, the colon included. */
  prefix: string
  /**
   * Called in the transaction that settles, under the locks of the lanes and before the next heads get their turn: may
   * put more behind them, or supersede what waits.
   */
  settled(sql: Sql, deliveries: readonly SettledOther[]): Promise<void>
  /** Sends a dead delivery again, at an operator's word; the lane is locked, and the delivery is dead. */
  revive(sql: Sql, dead: OtherDelivery): Promise<Revived>
}

export type Keepers = readonly LaneKeeper[]

export function keeperOf(keepers: Keepers, lane: string): LaneKeeper | undefined {
  return keepers.find((keeper) => lane.startsWith(keeper.prefix))
}
