import type { VendorOrder, VendorStage } from '../vendor/adapter.js'
import type { Difference } from './difference.js'
import { Draft } from './draft.js'
import { endNamedBy } from './ends.js'
import { isStage, type KnownDelivery } from './known-delivery.js'
import { stageIdOf, terminatedStage } from './stages.js'

/** No check has so many; one that had would hold up the others of its process. */
const mostStages = 500

/**
 * What has to be sent now that the vendor says this about an order: pure. Stages go in the vendor's order, before the
 * result or the cancel, each once; whatever had an attempt keeps its content, its stage_id and its stage_time.
 */
export function diffOrder(id: string, known: readonly KnownDelivery[], vendor: VendorOrder, now: number): Difference {
  const draft = new Draft(id, known, endNamedBy(vendor), now)
  const stages = uniqueStages(vendor.stages, draft)
  if (vendor.status === 'canceled') {
    const last = terminatedStage(stages, now)
    if (last !== null) stages.push({ ...last, time: seenBefore(known, last.id) ?? now })
  }
  draft.keepVanished(stages)
  for (const stage of stages) draft.stage(stage)
  if (vendor.status === 'completed' && vendor.result) draft.result(vendor.result)
  if (vendor.status === 'canceled') draft.cancel()
  return draft.finish(stages.length > 0)
}

/** Our own last stage keeps its time for as long as it waits: a call that Feishu refused unseen had it, too. */
function seenBefore(known: readonly KnownDelivery[], stageId: string): number | undefined {
  return known.find((each) => each.state === 'pending' && isStage(each, stageId))?.seenAt
}

function uniqueStages(stages: readonly VendorStage[], draft: Draft): VendorStage[] {
  const byId = new Map<string, VendorStage>()
  for (const stage of stages) {
    if (byId.has(stageIdOf(stage.id))) draft.note('stage_repeated', { stage_id: stageIdOf(stage.id) })
    else byId.set(stageIdOf(stage.id), stage)
  }
  const unique = [...byId.values()]
  if (unique.length > mostStages) draft.leaveOut(unique.length - mostStages)
  return unique.slice(0, mostStages)
}
