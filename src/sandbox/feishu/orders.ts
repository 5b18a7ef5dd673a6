import { NotThere, Refused } from '../support/refusals.js'
import type { Answer } from './answers.js'
import { accept, refuse } from './answers.js'
import type { Body } from './bodies.js'
import type { Switches } from './switches.js'

export type Report = { name: string; url: string; urlType: 1 | 2 }
export type SandboxStage = {
  stageId: string
  name: string
  enName?: string
  /** Milliseconds since the epoch. */
  time: number
  result?: string
  reports: Report[]
  acceptedAt: number
}
export type SandboxResult = { result: string; time: number; reports: Report[]; acceptedAt: number }

/** `order_status` of contract §3.4; 8 (approved) is passed through at once to 3. */
export const orderStatuses = {
  arranged: 2,
  completed: 3,
  terminated: 4,
  in_approval: 5,
  approval_withdrawn: 6,
  not_approved: 9,
} as const
export type OrderStatus = keyof typeof orderStatuses

export type Person = {
  name?: string
  first_name?: string
  last_name?: string
  email?: string
  mobile?: { code: string; number: string }
}
export type SandboxOrder = {
  backgroundCheckId: string
  appId: string
  tenantKey: string
  accountId: string
  packageId: string
  additionalItemIds: string[]
  comment: string
  candidate: Person
  contact: Person
  customFields: Array<{ key: string; value: string }>
  applicationId?: string
  status: OrderStatus
  stages: SandboxStage[]
  result?: SandboxResult
  /** Who ended it, when it is terminated. */
  terminatedBy?: 'vendor' | 'customer'
  terminationReason?: string
  createdAt: number
  updatedAt: number
  /** Ordered from another provider: it shows in the order reads of the tenant and takes no calls. */
  otherProvider: boolean
}

export type Caller = { appId: string; tenantKey: string }

/** The background checks, and what update_progress, update_result and cancel do to them (contract §3.2–3.4). */
export class Orders {
  #orders = new Map<string, SandboxOrder>()
  /** The first order of each id, for those who do not name the tenant. */
  #firstOf = new Map<string, SandboxOrder>()
  #switches: Switches
  #needsApproval: (tenantKey: string) => boolean

  constructor(switches: Switches, needsApproval: (tenantKey: string) => boolean) {
    this.#switches = switches
    this.#needsApproval = needsApproval
  }

  add(order: SandboxOrder): void {
    const key = keyOf(order.tenantKey, order.backgroundCheckId)
    if (this.#orders.has(key))
      throw new Refused(`tenant ${order.tenantKey} has an order ${order.backgroundCheckId} already`)
    this.#orders.set(key, order)
    if (!this.#firstOf.has(order.backgroundCheckId)) this.#firstOf.set(order.backgroundCheckId, order)
  }

  all(): SandboxOrder[] {
    return [...this.#orders.values()]
  }

  ofTenant(tenantKey: string): SandboxOrder[] {
    return this.all().filter((order) => order.tenantKey === tenantKey)
  }

  /** The id alone is enough unless two tenants have the same. */
  get(backgroundCheckId: string, tenantKey?: string): SandboxOrder {
    const found = this.find(backgroundCheckId, tenantKey)
    if (!found)
      throw new NotThere(`no order ${backgroundCheckId}${tenantKey ? ` in tenant ${tenantKey}` : ''} in this sandbox`)
    return found
  }

  find(backgroundCheckId: string, tenantKey?: string): SandboxOrder | undefined {
    if (tenantKey !== undefined) return this.#orders.get(keyOf(tenantKey, backgroundCheckId))
    return this.#firstOf.get(backgroundCheckId)
  }

  updateProgress(caller: Caller, body: Body<'update_progress'>): Answer {
    const order = this.#own(caller, body.background_check_id)
    if (!order) return notFound(caller, body.background_check_id)
    if (isClosed(order) || order.status === 'in_approval') return notInThisState(order)
    const repeated = order.stages.find((stage) => stage.stageId === body.stage_id)
    if (repeated) return this.#duplicate(body.stage_id)
    const last = Math.max(0, ...order.stages.map((stage) => stage.time))
    if (Number(body.stage_time) <= last && this.#switches.staleStageTime !== 'accept') {
      return refusalBy(
        this.#switches.staleStageTime,
        `stage_time: expected later than ${last}, the order's last; it came as ${body.stage_time}`,
      )
    }
    order.stages.push(stageOf(body))
    order.updatedAt = Date.now()
    return accept({})
  }

  updateResult(caller: Caller, body: Body<'update_result'>): Answer {
    const order = this.#own(caller, body.background_check_id)
    if (!order) return notFound(caller, body.background_check_id)
    if (isClosed(order)) return notInThisState(order)
    if (order.status === 'in_approval') return refuse('inApproval', order.backgroundCheckId)
    if (order.status !== 'arranged' && this.#switches.resultAfterRejection === 'refuse_1002858')
      return notInThisState(order)
    order.result = {
      result: body.result,
      time: Number(body.result_time),
      reports: reportsOf(body.report_file_list),
      acceptedAt: Date.now(),
    }
    order.status = this.#needsApproval(order.tenantKey) ? 'in_approval' : 'completed'
    order.updatedAt = Date.now()
    return accept({})
  }

  cancelByVendor(caller: Caller, body: Body<'cancel'>): Answer {
    const order = this.#own(caller, body.background_check_id)
    if (!order) return notFound(caller, body.background_check_id)
    if (isClosed(order)) {
      return this.#switches.cancelOnClosed === 'ok' ? accept({}, { applied: false }) : notInThisState(order)
    }
    terminate(order, 'vendor')
    return accept({})
  }

  /** The customer stops the check; false when it was over already. */
  cancelByCustomer(order: SandboxOrder, reason: string): boolean {
    if (isClosed(order)) return false
    terminate(order, 'customer', reason)
    return true
  }

  decide(order: SandboxOrder, decision: 'approve' | 'reject' | 'withdraw'): void {
    if (order.status !== 'in_approval') {
      throw new Refused(
        `order ${order.backgroundCheckId} is ${order.status}; only a report in_approval can be decided on`,
      )
    }
    order.status = ({ approve: 'completed', reject: 'not_approved', withdraw: 'approval_withdrawn' } as const)[decision]
    order.updatedAt = Date.now()
  }

  #own(caller: Caller, backgroundCheckId: string): SandboxOrder | undefined {
    const order = this.find(backgroundCheckId, caller.tenantKey)
    return order && order.appId === caller.appId && !order.otherProvider ? order : undefined
  }

  #duplicate(stageId: string): Answer {
    const how = this.#switches.duplicateStage
    if (how === 'accept_silently') return accept({}, { applied: false })
    return refusalBy(how, `stage_id: expected one that the order does not have yet; it came as ${stageId}`)
  }
}

export function isClosed(order: SandboxOrder): boolean {
  return order.status === 'completed' || order.status === 'terminated'
}

function terminate(order: SandboxOrder, by: 'vendor' | 'customer', reason?: string): void {
  order.status = 'terminated'
  order.terminatedBy = by
  if (reason !== undefined) order.terminationReason = reason
  order.updatedAt = Date.now()
}

function refusalBy(how: 'refuse_1002001_400' | 'refuse_1002002_400' | 'refuse_1002858', detail: string): Answer {
  if (how === 'refuse_1002001_400') return refuse('parameterOrSystemError', detail)
  return refuse(how === 'refuse_1002002_400' ? 'parameterError' : 'notInThisState', detail)
}

function notFound({ appId, tenantKey }: Caller, id: string): Answer {
  return refuse('orderNotFound', `${id} is not an order of app ${appId} in tenant ${tenantKey}`)
}

function notInThisState(order: SandboxOrder): Answer {
  return refuse('notInThisState', `order ${order.backgroundCheckId} is ${order.status}`)
}

function stageOf(body: Body<'update_progress'>): SandboxStage {
  return {
    stageId: body.stage_id,
    name: body.stage_name,
    time: Number(body.stage_time),
    reports: reportsOf(body.report_file_list),
    acceptedAt: Date.now(),
    ...(body.stage_en_name === undefined ? {} : { enName: body.stage_en_name }),
    ...(body.result === undefined ? {} : { result: body.result }),
  }
}

function reportsOf(list: Body<'update_result'>['report_file_list']): Report[] {
  return (list ?? []).map((report) => ({
    name: report.report_name,
    url: report.report_url,
    urlType: report.report_url_type ?? 1,
  }))
}

function keyOf(tenantKey: string, backgroundCheckId: string): string {
  return `${tenantKey}|${backgroundCheckId}`
}
