import { NotThere } from '../support/refusals.js'

export type VendorReport = { name: string; url: string; type?: 1 | 2 }
export type VendorStage = {
  id: string
  name: string
  en_name?: string
  time: number
  result?: string
  reports?: VendorReport[]
}
export type VendorResult = { result: string; time: number; reports?: VendorReport[] }
export type VendorStatus = 'pending' | 'in_progress' | 'completed' | 'canceled'

export type VendorOrder = {
  orderId: string
  backgroundCheckId: string
  accountId: string
  tenantKey: string
  packageId: string | null
  status: VendorStatus
  stages: VendorStage[]
  result?: VendorResult
  /** Who canceled it. */
  canceledBy?: 'service' | 'vendor'
  cancelReason?: string
  /** As it was placed. */
  placed: unknown
  createdAt: number
  /** Grows with every change of any order. */
  changed: number
}

/** A report without a link gets one at this vendor. */
export type ReportInput = { name: string; url?: string; type?: 1 | 2 }
export type StageInput = Partial<Omit<VendorStage, 'reports'>> & { name: string; reports?: readonly ReportInput[] }
export type ResultInput = { result: string; time?: number; reports?: readonly ReportInput[] }

/** `afterMs` after the step before; a step without it waits for `advance`. */
export type Step = { afterMs?: number } & ({ stage: StageInput } | { result: ResultInput } | { canceled: true })
export type Script = readonly Step[]

export type NewOrder = Pick<VendorOrder, 'backgroundCheckId' | 'accountId' | 'tenantKey' | 'packageId' | 'placed'>

/** The vendor's orders; every change gets a number, by which the changes feed runs. */
export class VendorOrders {
  #orders = new Map<string, VendorOrder>()
  #byCheck = new Map<string, VendorOrder[]>()
  #changes = 0
  #linkFor: (order: VendorOrder, name: string) => string
  #onChange: (order: VendorOrder) => void

  constructor(linkFor: (order: VendorOrder, name: string) => string, onChange: (order: VendorOrder) => void) {
    this.#linkFor = linkFor
    this.#onChange = onChange
  }

  all(): VendorOrder[] {
    return [...this.#orders.values()]
  }

  find(orderId: string): VendorOrder | undefined {
    return this.#orders.get(orderId)
  }

  /** By the vendor's id or the background check's. */
  get(id: string): VendorOrder {
    const order = this.#orders.get(id) ?? this.of(id)[0]
    if (!order) throw new NotThere(`no order ${id} at this vendor`)
    return order
  }

  of(backgroundCheckId: string): VendorOrder[] {
    return this.#byCheck.get(backgroundCheckId) ?? []
  }

  place(input: NewOrder): VendorOrder {
    const orderId = `V-${this.#orders.size + 1}`
    const order: VendorOrder = { ...input, orderId, status: 'pending', stages: [], createdAt: Date.now(), changed: 0 }
    this.#orders.set(orderId, order)
    this.#byCheck.set(order.backgroundCheckId, [...this.of(order.backgroundCheckId), order])
    this.#touch(order)
    return order
  }

  addStage(id: string, input: StageInput): VendorStage {
    const order = this.get(id)
    const { reports, ...rest } = input
    const stage: VendorStage = {
      id: `st-${order.stages.length + 1}`,
      time: Date.now(),
      ...rest,
      ...(reports ? { reports: this.#withLinks(order, reports) } : {}),
    }
    order.stages.push(stage)
    if (order.status === 'pending') order.status = 'in_progress'
    this.#touch(order)
    return stage
  }

  complete(id: string, { result, time = Date.now(), reports = [{ name: 'final.pdf' }] }: ResultInput): VendorResult {
    const order = this.get(id)
    order.result = { result, time, reports: this.#withLinks(order, reports) }
    order.status = 'completed'
    this.#touch(order)
    return order.result
  }

  /** The vendor gives up the check. */
  stop(id: string): void {
    this.#cancel(this.get(id), 'vendor')
  }

  cancelByService(order: VendorOrder, reason: string | undefined): void {
    if (order.status === 'canceled') return
    if (reason !== undefined) order.cancelReason = reason
    this.#cancel(order, 'service')
  }

  /** Changes anything at will: for vendors that misbehave. */
  set(id: string, changes: Partial<Pick<VendorOrder, 'status' | 'stages' | 'result'>>): VendorOrder {
    const order = this.get(id)
    Object.assign(order, changes)
    this.#touch(order)
    return order
  }

  run(id: string, step: Step): void {
    if ('stage' in step) this.addStage(id, step.stage)
    else if ('result' in step) this.complete(id, step.result)
    else this.stop(id)
  }

  #cancel(order: VendorOrder, by: 'service' | 'vendor'): void {
    order.status = 'canceled'
    order.canceledBy = by
    this.#touch(order)
  }

  #withLinks(order: VendorOrder, reports: readonly ReportInput[]): VendorReport[] {
    return reports.map((report) => ({ type: 1, ...report, url: report.url ?? this.#linkFor(order, report.name) }))
  }

  #touch(order: VendorOrder): void {
    order.changed = ++this.#changes
    this.#onChange(order)
  }
}
