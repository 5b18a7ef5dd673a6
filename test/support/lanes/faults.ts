import { type FaultSource, type FeishuCall, type SandboxFeishu, seededFaults } from '../../../src/sandbox/index.js'
import type { WorldPlan } from './plan.js'

const orderApis = new Set<string | undefined>(['update_progress', 'update_result', 'cancel'])

/**
 * Random faults on the calls for orders, and the refusals that were planned for single ones. `onResult` hears of each
 * result once Feishu has dealt with it, before its answer is out of the machine.
 */
export function planFaults(
  feishu: SandboxFeishu,
  plan: WorldPlan,
  ids: readonly string[],
  isSlow: () => boolean,
  onResult: (backgroundCheckId: string) => void,
): void {
  const random = seededFaults<FeishuCall>(plan.seed, plan.rates)
  const calls = new Map<string, number>()
  const source: FaultSource<FeishuCall> = (call) => {
    const { api, backgroundCheckId: id = '' } = call
    if (!orderApis.has(api)) return undefined
    const count = calls.get(id) ?? 0
    calls.set(id, count + 1)
    const refusal = plan.lanes[ids.indexOf(id)]?.refusal
    if (api === 'update_result') setImmediate(onResult, id)
    if (refusal?.call === count) return { kind: 'answer', httpStatus: 400, code: refusal.code }
    return isSlow() ? { kind: 'slow', ms: 40 } : random(call)
  }
  feishu.useFaults(source)
}
