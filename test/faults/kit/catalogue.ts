import { linkFaults } from './link-faults.js'
import type { Mode, PlannedFault } from './plan.js'
import { processFaults } from './process-faults.js'
import { embeddedFaults, postgresFaults, redisFaults } from './store-faults.js'
import type { World } from './world.js'

/** One fault that can be begun and ended. */
export interface Fault {
  /** Faults of the same subject never last at once. */
  subject: string
  begin(): Promise<void>
  /** Everything is as before, but for what the fault has done. */
  end(): Promise<void>
  /** How much it was felt since it began: calls that failed, were late or were lost. */
  bites(): number | Promise<number>
  /** Whether what Feishu answered meanwhile may not have been heard, or not written down. */
  losesAnswers: boolean
}

export type MakeFault = (world: World, planned: PlannedFault) => Fault

const everywhere = { ...processFaults, ...linkFaults('feishu'), ...linkFaults('vendor'), ...linkFaults('webhook') }
const shared = { ...everywhere, ...redisFaults, ...postgresFaults, ...linkFaults('redis'), ...linkFaults('postgres') }
const alone = { ...everywhere, ...embeddedFaults }
const all = { ...shared, ...alone }

export type FaultName = keyof typeof all

export function faultsOf(mode: Mode): FaultName[] {
  // The keys of an object are its own names.
  return Object.keys(mode === 'redis' ? shared : alone) as FaultName[]
}

export function makeFault(world: World, planned: PlannedFault): Fault {
  return all[planned.name](world, planned)
}
