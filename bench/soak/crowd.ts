import { setTimeout as sleep } from 'node:timers/promises'
import type { SandboxFeishu, SandboxVendor, Script } from '../../src/sandbox/index.js'
import { seededRandom } from '../../src/sandbox/support/random.js'
import { type Check, Customers } from '../../test/faults/kit/customers.js'
import { type OrderPlan, orderPlan, type RunPlan } from '../../test/faults/kit/plan.js'
import { drawCustomer, soakCustomers } from './tenants.js'

/** A stop that a customer thinks of later comes so many times later than in the short runs of the fault kit. */
const slower = 3

/** The kit's customers, but more of them, at a steady rate, and for hours. */
export class Crowd extends Customers {
  /** The event of each check's order. */
  readonly createdBy = new Map<string, string>()
  readonly #feishu: SandboxFeishu
  readonly #random: () => number
  readonly #seed: number
  readonly #byId = new Map<string, Check>()
  #underWay = 0
  #isOver = false

  constructor(feishu: SandboxFeishu, vendor: SandboxVendor, plan: RunPlan) {
    super(feishu, vendor, plan)
    this.#feishu = feishu
    this.#seed = plan.seed
    this.#random = seededRandom(plan.seed + 2)
    vendor.setScenario((order) => this.#scriptOf(order.backgroundCheckId))
  }

  override get busy(): number {
    return this.#underWay
  }

  override bindAccounts(): void {
    for (const customer of soakCustomers) {
      const { accountId, event } = this.#feishu.createAccount({ ...customer, hold: true })
      this.accountIds.push(accountId)
      this.#begin(this.#push(event.eventId, 1))
    }
  }

  /** `rate` orders per second until `untilMs` (performance.now()); what came late is not made up for. */
  async orderUntil(untilMs: number, rate: number): Promise<void> {
    while (performance.now() < untilMs && !this.#isOver) {
      this.#begin(this.#live(this.#nextPlan()))
      await sleep((1000 / rate) * (0.5 + this.#random()))
    }
  }

  override stop(): void {
    this.#isOver = true
  }

  #nextPlan(): OrderPlan {
    const plan = orderPlan(this.#seed, this.checks.length)
    const { cancelAfterMs } = plan
    return {
      ...plan,
      customer: drawCustomer(this.#random()),
      stepMs: plan.stepMs * slower,
      cancelAfterMs: typeof cancelAfterMs === 'number' ? cancelAfterMs * slower : cancelAfterMs,
    }
  }

  #begin(work: Promise<void>): void {
    this.#underWay += 1
    // A customer that fails is a fault of the soak itself: it ends it.
    void work.finally(() => {
      this.#underWay -= 1
    })
  }

  async #live(plan: OrderPlan): Promise<void> {
    const customer = soakCustomers[plan.customer]
    const accountId = this.accountIds[plan.customer]
    if (customer === undefined || accountId === undefined) throw new Error('no such customer')
    const { backgroundCheckId: id, event } = this.#feishu.createOrder({ ...customer, accountId, hold: true })
    const stages = Array.from({ length: plan.stages }, (_, index) => `st-${index + 1}`)
    const check: Check = { id, plan, stages, canceledInFeishu: false }
    this.checks.push(check)
    this.#byId.set(id, check)
    this.createdBy.set(id, event.eventId)
    if (plan.cancelAfterMs === 'at once') {
      const canceled = this.#cancel(check)
      await sleep(this.#random() * 100)
      await Promise.all([canceled, this.#push(event.eventId, plan.copies)])
      return
    }
    const created = this.#push(event.eventId, plan.copies)
    if (plan.cancelAfterMs !== null) {
      await sleep(plan.cancelAfterMs)
      await this.#cancelIfOpen(check)
    }
    await created
  }

  async #cancelIfOpen(check: Check): Promise<void> {
    const { status } = this.#feishu.order(check.id)
    if (status !== 'completed' && status !== 'terminated') await this.#cancel(check)
  }

  #cancel(check: Check): Promise<void> {
    check.canceledInFeishu = true
    return this.#push(this.#feishu.cancelOrder(check.id, { hold: true }).eventId, check.plan.copies)
  }

  /** Until it is acknowledged, as Feishu does, but sooner. */
  async #push(eventId: string, copies: number): Promise<void> {
    this.eventIds.push(eventId)
    while (!this.#isOver) {
      const attempts = await this.#feishu.sendCopies(eventId, copies)
      if (attempts.some((attempt) => attempt.httpStatus === 200)) return
      await sleep(200 + this.#random() * 800)
    }
  }

  #scriptOf(backgroundCheckId: string): Script {
    const check = this.#byId.get(backgroundCheckId)
    if (check === undefined) throw new Error(`nobody ordered ${backgroundCheckId}`)
    const { stepMs: afterMs, end } = check.plan
    const stages = check.stages.map((id) => ({ afterMs, stage: { id, name: `stage ${id}` } }))
    const last =
      end === 'completed' ? { result: { result: 'clear', reports: [{ name: 'f.pdf' }] } } : { canceled: true as const }
    return [...stages, { afterMs, ...last }]
  }
}
