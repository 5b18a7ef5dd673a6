import { type Fault, FaultPlan, type FaultSource, type PlannedFault } from '../support/faults.js'
import { startHttp } from '../support/http.js'
import { Windows, type WorstWindow } from '../support/windows.js'
import { Accounts, type VendorAccount } from './accounts.js'
import { vendorControl } from './control.js'
import { VendorDoor, type VendorFaultMatch } from './door.js'
import { Feed } from './feed.js'
import { type VendorCallFilter, type VendorCallRecord, VendorJournal } from './journal.js'
import { type Nudge, Nudges, type NudgeTarget } from './nudges.js'
import type { VendorCapabilities, VendorOptions } from './options.js'
import {
  type ResultInput,
  type Script,
  type StageInput,
  type VendorOrder,
  VendorOrders,
  type VendorResult,
  type VendorStage,
} from './orders.js'
import { ReportLinks } from './reports.js'
import type { AgreementChange, VendorState } from './routes.js'
import { Scripts } from './scripts.js'

/** Wherever an order is named, the vendor's id and the background check's id both do. */
export type SandboxVendor = {
  /** What VENDOR_BASE_URL is set to. */
  readonly url: string
  readonly port: number
  stop(): Promise<void>

  order(id: string): VendorOrder
  orders(): VendorOrder[]
  /** How many orders there are for a background check: may never be more than one. */
  orderCount(backgroundCheckId: string): number
  account(accountId: string): VendorAccount
  accounts(): VendorAccount[]
  confirmAccount(accountId: string): void

  /** Takes the next step of the order's script. Answers whether there was one. */
  advance(id: string): boolean
  setScript(id: string, script: Script): void
  addStage(id: string, stage: StageInput): VendorStage
  complete(id: string, result?: Partial<ResultInput>): VendorResult
  /** The vendor gives up the check (`canceled`). */
  stopOrder(id: string): void
  setOrder(id: string, changes: Partial<Pick<VendorOrder, 'status' | 'stages' | 'result'>>): VendorOrder
  setAgreement(agreement: Omit<AgreementChange, 'number'>): void

  capabilities(): VendorCapabilities | undefined
  setCapabilities(capabilities: Partial<VendorCapabilities> | 'none'): void
  /** Every cursor given so far answers 410. */
  forgetCursors(): void
  /** Every link to a report given so far answers 403, where links rotate. */
  expireReportLinks(): void
  setNotify(target: NudgeTarget | undefined): void
  setScenario(scenario: ((order: VendorOrder) => Script) | undefined): void
  nudges(): Nudge[]
  /** Makes the caller's key wrong, or right again. */
  setApiKey(apiKey: string): void

  calls(filter?: VendorCallFilter): VendorCallRecord[]
  untilCalls(filter: VendorCallFilter, count?: number, timeoutMs?: number): Promise<VendorCallRecord[]>
  worstWindows(): WorstWindow[]
  worstInFlight(): number
  addFault(fault: Fault<VendorFaultMatch>): string
  useFaults(source: FaultSource<VendorFaultMatch> | undefined): void
  clearFaults(id?: string): void
  faults(): PlannedFault<VendorFaultMatch>[]
}

/** A vendor's system on loopback: the other side of docs/vendor-api.md. */
export async function startSandboxVendor(given: VendorOptions): Promise<SandboxVendor> {
  const options = { ...given }
  const links = new ReportLinks(options.rotateReportLinks ?? false)
  const journal = new VendorJournal()
  const faults = new FaultPlan<VendorFaultMatch>()
  const windows = new Windows()
  const nudges = new Nudges(options.notify)
  const orders = new VendorOrders(
    (order, name) => links.to(order, name),
    (order) => void nudges.send(order),
  )
  const scripts = new Scripts(orders)
  const state: VendorState = {
    options,
    capabilities: readCapabilities(options.capabilities ?? {}),
    accounts: new Accounts(),
    orders,
    agreements: new Map(),
    orderFeed: new Feed(),
    agreementFeed: new Feed(),
    links,
    keys: new Map(),
    onPlaced: (order) => scripts.start(order, options.scenario?.(order) ?? []),
    show: (order) => showOrder(order, (link) => links.shown(link)),
  }
  const door = new VendorDoor({ state, journal, faults, windows })
  const control = vendorControl(() => sandbox)
  const server = await startHttp(
    (incoming) => (control.owns(incoming.path) ? control.handle(incoming) : door.handle(incoming)),
    {
      host: options.host ?? '127.0.0.1',
      port: options.port ?? 0,
    },
  )
  links.lieBelow(server.url)

  const sandbox: SandboxVendor = {
    url: server.url,
    port: server.port,
    stop: async () => {
      scripts.stop()
      nudges.aim(undefined)
      await server.stop()
    },
    order: (id) => orders.get(id),
    orders: () => orders.all(),
    orderCount: (id) => orders.of(id).length,
    account: (id) => state.accounts.get(id),
    accounts: () => state.accounts.all(),
    confirmAccount: (id) => state.accounts.confirm(id),
    advance: (id) => scripts.advance(id),
    setScript: (id, script) => scripts.start(orders.get(id), script),
    addStage: (id, stage) => orders.addStage(id, stage),
    complete: (id, result) => orders.complete(id, { result: '绿灯', ...result }),
    stopOrder: (id) => orders.stop(id),
    setOrder: (id, changes) => orders.set(id, changes),
    setAgreement: (agreement) => {
      const number = Math.max(0, ...[...state.agreements.values()].map((one) => one.number)) + 1
      state.agreements.set(agreement.id, { ...agreement, number })
    },
    capabilities: () => state.capabilities,
    setCapabilities: (capabilities) => {
      state.capabilities = readCapabilities(capabilities)
    },
    forgetCursors: () => {
      state.orderFeed.forget()
      state.agreementFeed.forget()
    },
    expireReportLinks: () => links.expire(),
    setNotify: (target) => nudges.aim(target),
    setScenario: (scenario) => {
      if (scenario) options.scenario = scenario
      else delete options.scenario
    },
    nudges: () => nudges.sent,
    setApiKey: (apiKey) => {
      options.apiKey = apiKey
    },
    calls: (filter) => journal.find(filter),
    untilCalls: (filter, count, timeoutMs) => journal.waitFor(filter, count, timeoutMs),
    worstWindows: () => windows.worst(),
    worstInFlight: () => journal.worstInFlight,
    addFault: (fault) => faults.add(fault),
    useFaults: (source) => faults.use(source),
    clearFaults: (id) => faults.clear(id),
    faults: () => faults.list(),
  }
  return sandbox
}

function readCapabilities(capabilities: Partial<VendorCapabilities> | 'none'): VendorCapabilities | undefined {
  return capabilities === 'none' ? undefined : { batch: true, changes: true, tripartite: true, ...capabilities }
}

/** An order as docs/vendor-api.md writes it. */
function showOrder(order: VendorOrder, shown: (link: string) => string) {
  const reports = <T extends { reports?: Array<{ url: string }> }>(part: T): T =>
    part.reports ? { ...part, reports: part.reports.map((report) => ({ ...report, url: shown(report.url) })) } : part
  return {
    order_id: order.orderId,
    background_check_id: order.backgroundCheckId,
    status: order.status,
    stages: order.stages.map(reports),
    ...(order.result ? { result: reports(order.result) } : {}),
  }
}
