import type { VendorOrder, VendorStage } from '../flow/vendor/adapter.js'

const ranks = { pending: 0, in_progress: 1, completed: 2, canceled: 2 } as const

/** What a later reading of an order took back of an earlier one; null when it only went on. Names no value. */
export function breakIn(before: VendorOrder, after: VendorOrder): string | null {
  if (after.stages.length < before.stages.length) return `${before.stages.length} stages became ${after.stages.length}`
  for (const [index, stage] of before.stages.entries()) {
    const later = after.stages[index]
    const changed = later === undefined ? 'id' : differenceOf(stage, later)
    if (changed !== null) return `stages[${index}].${changed} changed`
  }
  if (ranks[after.status] < ranks[before.status]) return `${before.status} became ${after.status}`
  if (before.status === 'completed' && after.status !== 'completed') return `completed became ${after.status}`
  const [one, other] = [before.result, after.result]
  const isOther = one !== undefined && other !== undefined && (one.result !== other.result || one.time !== other.time)
  return isOther ? 'the result changed' : null
}

/** Links may differ in every answer; what else was said is said for good. */
function differenceOf(one: VendorStage, other: VendorStage): string | null {
  return (['id', 'name', 'enName', 'time', 'result'] as const).find((field) => one[field] !== other[field]) ?? null
}
