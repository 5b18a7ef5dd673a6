import type { Step } from './draft.js'
import { Draft } from './draft.js'
import type { Known } from './known.js'
import { complainOfFields, deleteAndCreateFields, settleFields, updateFields } from './plan-fields.js'
import { complainOfPackages, createPackages, deletePackages, settlePackages, updatePackages } from './plan-packages.js'
import type { Catalog, Complaint } from './shapes.js'

export interface Plan {
  steps: Step[]
  /** Why Feishu would not take the catalog; then there are no steps. */
  complaints: Complaint[]
}

/**
 * The fewest calls that lead from what Feishu is known to hold to what is wanted. Pure. First what is not known is
 * settled by calls of its own, then all that can be undone, and what deletes comes last, so that a plan may stop before
 * it. New packages are there before old ones go.
 */
export function planCatalog(accountId: string, known: Known, wanted: Catalog): Plan {
  const draft = new Draft(known)
  settlePackages(draft)
  settleFields(draft, wanted)
  const complaints = [...complainOfPackages(draft.known, wanted), ...complainOfFields(draft.known, wanted)]
  if (complaints.length > 0) return { steps: [], complaints }
  createPackages(draft, accountId, wanted)
  updatePackages(draft, accountId, wanted)
  updateFields(draft, accountId, wanted)
  deletePackages(draft, accountId, wanted)
  deleteAndCreateFields(draft, accountId, wanted)
  return { steps: draft.steps, complaints: [] }
}
