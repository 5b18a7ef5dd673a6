import type { SandboxFeishu, SandboxVendor, Violation } from '../index.js'
import type { Part, Play } from './play.js'
import { vendorOrder } from './rows.js'

type Both = { feishu: SandboxFeishu; vendor: SandboxVendor }

export interface Verdict {
  /** What did not come to its end, in words; empty when all is well. */
  missing: readonly string[]
  violations: readonly Violation[]
}

/** Looks at both sides, not at what the service says of itself. */
export function judge(both: Both, play: Play): Verdict {
  const missing = play.parts.flatMap((part) => missingOf(both, part))
  const unheard = both.feishu.events().filter((event) => !event.acknowledged)
  return {
    missing: [
      ...missing,
      ...unheard.map(({ eventType, eventId }) => `event ${eventType} ${eventId}: not acknowledged`),
    ],
    violations: both.feishu.checkPromises({ vendorStages: expectedStages(both, play) }),
  }
}

function missingOf({ feishu, vendor }: Both, { life, checkId }: Part): string[] {
  const who = `${life.candidate} (${life.about})`
  if (checkId === undefined) return [`${who}: was never ordered`]
  const found = vendor.orderCount(checkId)
  const complaints: string[] = []
  const end = endOf(feishu, checkId)
  if (end !== life.ends) complaints.push(`expected ${life.ends}, in Feishu it is ${end}`)
  if (found > 1) complaints.push(`the vendor has it ${found} times`)
  const order = vendorOrder(vendor, checkId)
  if (life.ends === 'canceled by customer' && order !== undefined && order.status !== 'canceled') {
    complaints.push(`the vendor goes on: ${order.status}`)
  }
  if (life.ends !== 'canceled by customer') complaints.push(...lostStages({ feishu, vendor }, checkId))
  return complaints.map((complaint) => `${who}, ${checkId}: ${complaint}`)
}

function endOf(feishu: SandboxFeishu, checkId: string): string {
  const { status, terminatedBy } = feishu.order(checkId)
  if (status !== 'terminated') return status
  return terminatedBy === 'vendor' ? 'stopped by vendor' : 'canceled by customer'
}

function lostStages(both: Both, checkId: string): string[] {
  const expected = stagesOf(both, checkId).join(', ')
  const came = both.feishu
    .order(checkId)
    .stages.map((stage) => stage.stageId)
    .join(', ')
  return came === expected ? [] : [`expected the stages ${expected || 'none'}, in Feishu are ${came || 'none'}`]
}

/** The vendor's, and the last stage with which the service tells that the vendor gave up. */
function stagesOf({ vendor }: Both, checkId: string): string[] {
  const order = vendorOrder(vendor, checkId)
  const stages = order?.stages.map((stage) => stage.id) ?? []
  return order?.canceledBy === 'vendor' ? [...stages, 'terminated'] : stages
}

function expectedStages(both: Both, play: Play): Record<string, string[]> {
  const ids = play.parts.flatMap(({ checkId }) => (checkId === undefined ? [] : [checkId]))
  return Object.fromEntries(ids.map((id) => [id, stagesOf(both, id)]))
}
