import { seededRandom } from '../../src/sandbox/support/random.js'
import type { RunPlan } from '../../test/faults/kit/plan.js'
import type { Settings } from './settings.js'

/** What Feishu and the vendor are like in this soak. Its orders and faults are drawn while it runs. */
export function planFor({ seed, mode, rate }: Settings): RunPlan {
  const random = seededRandom(seed)
  const coin = () => random() < 0.5
  return {
    seed,
    mode,
    faults: [],
    everyMs: 1000 / rate,
    leastOrders: 0,
    switches: { orderReads: coin(), cancelEcho: coin(), resignRedeliveries: coin(), repeatAcknowledged: coin() },
    vendorOffers: { batch: coin(), changes: coin() },
  }
}
