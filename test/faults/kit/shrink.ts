import type { PlannedFault, RunPlan } from './plan.js'
import { type Outcome, run } from './run.js'

/** Fewer faults that still break a promise, by halves and then one by one, for as long as there is time. */
export async function shrink(outcome: Outcome, settleWithinMs: number, withinMs: number): Promise<Outcome> {
  const late = performance.now() + withinMs
  let shortest = outcome
  for (let parts = 2; parts <= shortest.plan.faults.length && performance.now() < late; ) {
    const found = await firstBroken(without(shortest.plan, parts), settleWithinMs, late)
    if (found !== undefined) shortest = found
    parts = found === undefined ? Math.min(parts * 2, Math.max(parts + 1, shortest.plan.faults.length)) : 2
  }
  return shortest
}

/** The plan without each of `parts` parts of its faults. */
function without(plan: RunPlan, parts: number): RunPlan[] {
  const { faults } = plan
  const bounds = Array.from({ length: parts + 1 }, (_, index) => Math.round((index * faults.length) / parts))
  return bounds.slice(1).map((to, index) => {
    const from = bounds[index] ?? 0
    const left: PlannedFault[] = [...faults.slice(0, from), ...faults.slice(to)]
    return { ...plan, faults: left, leastOrders: 4 }
  })
}

async function firstBroken(
  plans: readonly RunPlan[],
  settleWithinMs: number,
  late: number,
): Promise<Outcome | undefined> {
  for (const plan of plans) {
    if (performance.now() > late) return undefined
    const outcome = await run(plan, settleWithinMs)
    if (outcome.broken.length > 0) return outcome
  }
  return undefined
}
