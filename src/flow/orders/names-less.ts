import type { VendorOrder } from '../vendor/adapter.js'
import type { KnownDelivery } from './known-delivery.js'
import { isTerminatedStage, stageIdOf } from './stages.js'

/**
 * Whether this answer of the vendor lacks a stage or an end that an answer before had named: pure. Either the vendor took
 * it back, or this answer was read earlier than the one that brought it.
 */
export function namesLess(known: readonly KnownDelivery[], vendor: VendorOrder): boolean {
  const named = new Set(vendor.stages.map((stage) => stageIdOf(stage.id)))
  return known.some(({ content, state, standsFor }) => {
    if (state === 'superseded') return false
    if (content.api === 'update_result') return vendor.status !== 'completed' || vendor.result === undefined
    if (content.api === 'cancel') return vendor.status !== 'canceled'
    // Our own words, which no answer names.
    return !isTerminatedStage(content.body) && !named.has(standsFor ?? content.body.stage_id)
  })
}
