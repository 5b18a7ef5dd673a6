import { setTimeout as sleep } from 'node:timers/promises'
import type { SandboxFeishu, SandboxVendor } from '../../src/sandbox/index.js'
import { Customers } from '../../test/faults/kit/customers.js'
import { type OrderPlan, orderPlan, type RunPlan } from '../../test/faults/kit/plan.js'
import { drawCustomer, soakCustomers } from './tenants.js'

/** A stop that a customer thinks of later comes so many times later than in the short runs of the fault kit. */
const slower = 3
const againAfterMs = 200

/** The kit's customers, but more of them, at a steady rate, and for hours. */
export class Crowd extends Customers {
  readonly #seed: number

  constructor(feishu: SandboxFeishu, vendor: SandboxVendor, plan: RunPlan) {
    super(feishu, vendor, plan, soakCustomers)
    this.#seed = plan.seed
  }

  /** `rate` orders per second until `untilMs` (performance.now()); what came late is not made up for. */
  async orderUntil(untilMs: number, rate: number): Promise<void> {
    while (performance.now() < untilMs && !this.isOver) {
      this.begin(this.live(this.#nextPlan()))
      await sleep((1000 / rate) * (0.5 + this.random()))
    }
  }

  /** What was acknowledged does not come again: the load is steady. */
  protected override push(eventId: string, copies: number): Promise<void> {
    return this.untilAcknowledged(eventId, copies, againAfterMs)
  }

  #nextPlan(): OrderPlan {
    const plan = orderPlan(this.#seed, this.checks.length)
    const { cancelAfterMs } = plan
    return {
      ...plan,
      customer: drawCustomer(this.random()),
      stepMs: plan.stepMs * slower,
      cancelAfterMs: typeof cancelAfterMs === 'number' ? cancelAfterMs * slower : cancelAfterMs,
    }
  }
}
