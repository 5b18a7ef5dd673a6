import { setTimeout as sleep } from 'node:timers/promises'
import type { SandboxApp, SandboxFeishu, SandboxVendor, Script } from '../../../src/sandbox/index.js'
import { seededRandom } from '../../../src/sandbox/support/random.js'
import { type OrderPlan, orderPlan, type RunPlan } from './plan.js'

export interface Check {
  id: string
  /** The event of its order. */
  eventId: string
  plan: OrderPlan
  stages: string[]
  canceledInFeishu: boolean
}

const appIds = ['a', 'b', 'c']
export const apps: SandboxApp[] = appIds.map((name) => ({
  appId: `cli_faults_${name}`,
  appSecret: `secret-${name}`,
  appType: 'custom',
  encryptKey: `encrypt-${name}`,
  verificationToken: `verify-${name}`,
}))
export const customers = apps.map(({ appId }) => ({ appId, tenantKey: `tk_of_${appId}` }))

/** The customers: they order checks, stop some, and their Feishu sends each event until it is acknowledged. */
export class Customers {
  readonly checks: Check[] = []
  readonly accountIds: string[] = []
  /** Every event that was made. */
  readonly eventIds: string[] = []
  protected readonly random: () => number
  protected isOver = false
  readonly #feishu: SandboxFeishu
  readonly #vendor: SandboxVendor
  readonly #plan: RunPlan
  readonly #tenants: typeof customers
  readonly #byId = new Map<string, Check>()
  readonly #underWay = new Set<Promise<void>>()

  constructor(feishu: SandboxFeishu, vendor: SandboxVendor, plan: RunPlan, tenants = customers) {
    this.#feishu = feishu
    this.#vendor = vendor
    this.#plan = plan
    this.#tenants = tenants
    this.random = seededRandom(plan.seed + 1)
    vendor.setScenario((order) => this.#script(order.backgroundCheckId))
  }

  get busy(): number {
    return this.#underWay.size
  }

  bindAccounts(): void {
    for (const customer of this.#tenants) {
      const { accountId, event } = this.#feishu.createAccount({ ...customer, hold: true })
      this.accountIds.push(accountId)
      this.begin(this.push(event.eventId, 1))
    }
  }

  /** Checks at a steady pace, until `done` settles and there are enough. */
  async order(done: Promise<unknown>): Promise<void> {
    let isDone = false
    const ended = done.finally(() => {
      isDone = true
    })
    while (!isDone || this.checks.length < this.#plan.leastOrders) {
      this.begin(this.live(orderPlan(this.#plan.seed, this.checks.length)))
      await sleep(this.#plan.everyMs)
    }
    await ended
  }

  stop(): void {
    this.isOver = true
  }

  protected begin(work: Promise<void>): void {
    // One that fails ends the run: it is a fault of the kit.
    const tracked = work.finally(() => this.#underWay.delete(tracked))
    this.#underWay.add(tracked)
  }

  protected async live(plan: OrderPlan): Promise<void> {
    const customer = this.#tenants[plan.customer]
    const accountId = this.accountIds[plan.customer]
    if (customer === undefined || accountId === undefined) throw new Error('no such customer')
    const stages = Array.from({ length: plan.stages }, (_, index) => `st-${index + 1}`)
    const { backgroundCheckId: id, event } = this.#feishu.createOrder({ ...customer, accountId, hold: true })
    const check: Check = { id, eventId: event.eventId, plan, stages, canceledInFeishu: false }
    this.checks.push(check)
    this.#byId.set(id, check)
    const { cancelAfterMs, copies } = plan
    if (cancelAfterMs === 'at once') {
      const canceled = this.push(this.#cancel(check), copies)
      await sleep(this.random() * 100)
      await Promise.all([canceled, this.push(event.eventId, copies)])
      return
    }
    const created = this.push(event.eventId, copies)
    if (cancelAfterMs !== null) {
      await sleep(cancelAfterMs)
      while (this.#plan.crossing === false && !this.isOver && this.#vendor.orderCount(check.id) === 0) await sleep(50)
      const { status } = this.#feishu.order(check.id)
      if (status !== 'completed' && status !== 'terminated') await this.push(this.#cancel(check), copies)
    }
    await created
  }

  #cancel(check: Check): string {
    check.canceledInFeishu = true
    return this.#feishu.cancelOrder(check.id, { hold: true }).eventId
  }

  /** Until it is acknowledged; and now and then once more. */
  protected async push(eventId: string, copies: number): Promise<void> {
    await this.untilAcknowledged(eventId, copies, 100)
    if (this.random() > 0.2) return
    await sleep(this.random() * 2000)
    await this.#feishu.sendCopies(eventId, 1)
  }

  /** Again and again, as Feishu does, but sooner: 1 to 5 times `leastMs` apart. */
  protected async untilAcknowledged(eventId: string, copies: number, leastMs: number): Promise<void> {
    this.eventIds.push(eventId)
    while (!this.isOver) {
      const attempts = await this.#feishu.sendCopies(eventId, copies)
      if (attempts.some((attempt) => attempt.httpStatus === 200)) return
      await sleep(leastMs * (1 + this.random() * 4))
    }
  }

  #script(backgroundCheckId: string): Script {
    const check = this.#byId.get(backgroundCheckId)
    if (check === undefined) throw new Error(`nobody ordered ${backgroundCheckId}`)
    const { stepMs: afterMs, end } = check.plan
    const stages = check.stages.map((id) => ({ afterMs, stage: { id, name: `stage ${id}` } }))
    const last =
      end === 'completed' ? { result: { result: 'clear', reports: [{ name: 'f.pdf' }] } } : { canceled: true as const }
    return [...stages, { afterMs, ...last }]
  }
}
