import { type Fault, FaultPlan, type FaultSource, type PlannedFault } from '../support/faults.js'
import { startHttp } from '../support/http.js'
import { Windows, type WorstWindow } from '../support/windows.js'
import type { Agreement, SandboxApplication } from './agreements.js'
import type { HireApiName } from './apis.js'
import type { SandboxAccount } from './catalog.js'
import { feishuControl } from './control.js'
import { Door, type FeishuCall } from './door.js'
import { effectOf } from './effects.js'
import type { LifeCycle } from './events.js'
import type { AccountInput, OrderInput, RawEventInput, UrlVerification } from './inputs.js'
import type { CallFilter, CallRecord } from './journal.js'
import { type FeishuOptions, readOptions, type SandboxApp, type SandboxTenant } from './options.js'
import { checkPromises, type JournalView, type PromiseOptions, type Violation } from './oracle.js'
import type { SandboxOrder } from './orders.js'
import type { PushAttempt, PushedEvent } from './pushes.js'
import { type ReadReport, readReports } from './report-reads.js'
import { applySwitches, type Switches } from './switches.js'
import { World } from './world.js'

export type SandboxFeishu = {
  /** What FEISHU_BASE_URL is set to. */
  readonly url: string
  readonly port: number
  stop(): Promise<void>

  setEventUrl(appId: string, url: string): void
  addApp(app: SandboxApp): void
  addTenant(tenant: SandboxTenant): void
  addApplication(application: Omit<SandboxApplication, 'campus' | 'mainlandChina'> & Partial<SandboxApplication>): void

  createAccount(input: AccountInput): { accountId: string; event: PushedEvent }
  createOrder(input: OrderInput): { backgroundCheckId: string; event: PushedEvent }
  /** The customer stops a check. Throws when it is over already, unless `evenIfClosed`. */
  cancelOrder(
    backgroundCheckId: string,
    options?: { reason?: string; tenantKey?: string; hold?: boolean; evenIfClosed?: boolean },
  ): PushedEvent
  approve(backgroundCheckId: string, tenantKey?: string): void
  reject(backgroundCheckId: string, tenantKey?: string): void
  withdraw(backgroundCheckId: string, tenantKey?: string): void

  sendAppTicket(appId: string, ticket?: string): PushedEvent
  /** Sends the event and changes what the tenant's calls are answered with. */
  sendLifeCycle(appId: string, tenantKey: string, lifeCycle: LifeCycle): PushedEvent
  sendEvent(input: RawEventInput): PushedEvent
  verifyUrl(appId: string, options?: { token?: string; challenge?: string }): Promise<UrlVerification>
  /** A plaintext or ill-signed request, as a stranger would make it. */
  sendBytes(
    appId: string,
    body: string | Buffer,
    headers?: Record<string, string>,
  ): Promise<{ httpStatus: number; body: string }>
  events(): PushedEvent[]
  event(eventId: string): PushedEvent
  redeliver(eventId: string): Promise<PushAttempt>
  sendCopies(eventId: string, count: number): Promise<PushAttempt[]>
  untilAcknowledged(eventId: string, timeoutMs?: number): Promise<PushedEvent>

  order(backgroundCheckId: string, tenantKey?: string): SandboxOrder
  orders(): SandboxOrder[]
  /** Reads the PDFs of an order by the links that it got. */
  readReports(backgroundCheckId: string, tenantKey?: string): Promise<ReadReport[]>
  account(accountId: string): SandboxAccount
  accounts(): SandboxAccount[]
  accountFields(appId: string, tenantKey: string, scope?: 1 | 2): unknown[]
  agreements(): Agreement[]
  calls(filter?: CallFilter): CallRecord[]
  untilCalls(filter: CallFilter, count?: number, timeoutMs?: number): Promise<CallRecord[]>
  journal(): JournalView
  worstWindows(): WorstWindow[]
  checkPromises(options?: PromiseOptions): Violation[]

  switches(): Switches
  setSwitches(changes: Partial<Switches>): void
  addFault(fault: Fault<FeishuCall>): string
  useFaults(source: FaultSource<FeishuCall> | undefined): void
  clearFaults(id?: string): void
  faults(): PlannedFault<FeishuCall>[]
  /** Kills tokens before their time. Answers how many. */
  revokeTokens(which?: { appId?: string; tenantKey?: string }): number
}

/** A Feishu on loopback that is strict about the contract. */
export async function startSandboxFeishu(options: FeishuOptions): Promise<SandboxFeishu> {
  const settings = readOptions(options)
  const world = new World(settings, options.apps, options.tenants)
  const windows = new Windows()
  const faults = new FaultPlan<FeishuCall>()
  const { directory, tokens, auth, journal } = world
  const door = new Door({
    settings,
    directory,
    tokens,
    auth,
    windows,
    faults,
    journal,
    effect: (name: HireApiName, call) => effectOf(world, name, call),
  })
  const control = feishuControl(() => sandbox)
  const server = await startHttp(
    (incoming) => (control.owns(incoming.path) ? control.handle(incoming) : door.handle(incoming)),
    settings,
  )
  const view = (): JournalView => ({
    calls: journal.calls,
    rateLimits: settings.rateLimits,
    slowRateLimits: settings.slowRateLimits,
  })
  const decide = (decision: 'approve' | 'reject' | 'withdraw') => (id: string, tenantKey?: string) =>
    world.orders.decide(world.orders.get(id, tenantKey), decision)

  const sandbox: SandboxFeishu = {
    url: server.url,
    port: server.port,
    stop: async () => {
      world.stop()
      await server.stop()
    },
    setEventUrl: (appId, url) => {
      directory.app(appId).eventUrl = url
    },
    addApp: (app) => directory.addApp(app),
    addTenant: (tenant) => directory.addTenant(tenant),
    addApplication: (application) =>
      world.agreements.addApplication({ campus: true, mainlandChina: true, ...application }),
    createAccount: (input) => world.createAccount(input),
    createOrder: (input) => world.createOrder(input),
    cancelOrder: (id, cancel) => world.cancelOrder(id, cancel),
    approve: decide('approve'),
    reject: decide('reject'),
    withdraw: decide('withdraw'),
    sendAppTicket: (appId, ticket) => world.sendAppTicket(appId, ticket),
    sendLifeCycle: (appId, tenantKey, lifeCycle) => world.sendLifeCycle(appId, tenantKey, lifeCycle),
    sendEvent: (input) => world.sendEvent(input),
    verifyUrl: (appId, verify) => world.verifyUrl(appId, verify),
    sendBytes: (appId, body, headers) => world.sendBytes(appId, body, headers),
    events: () => world.pushes.events(),
    event: (eventId) => world.pushes.event(eventId),
    redeliver: (eventId) => world.pushes.redeliver(eventId),
    sendCopies: (eventId, count) => world.pushes.sendCopies(eventId, count),
    untilAcknowledged: (eventId, timeoutMs) => world.pushes.untilAcknowledged(eventId, timeoutMs),
    order: (id, tenantKey) => world.orders.get(id, tenantKey),
    orders: () => world.orders.all(),
    readReports: (id, tenantKey) => readReports(world.orders.get(id, tenantKey)),
    account: (accountId) => world.catalog.account(accountId),
    accounts: () => world.catalog.accounts(),
    accountFields: (appId, tenantKey, scope = 1) => world.accountFields.list({ appId, tenantKey }, scope),
    agreements: () => world.agreements.all(),
    calls: (filter) => journal.find(filter),
    untilCalls: (filter, count, timeoutMs) => journal.waitFor(filter, count, timeoutMs),
    journal: view,
    worstWindows: () => windows.worst(),
    checkPromises: (promise) => checkPromises(view(), promise),
    switches: () => ({ ...settings.switches }),
    setSwitches: (changes) => applySwitches(settings.switches, changes),
    addFault: (fault) => faults.add(fault),
    useFaults: (source) => faults.use(source),
    clearFaults: (id) => faults.clear(id),
    faults: () => faults.list(),
    revokeTokens: (which) => tokens.revoke(which),
  }
  return sandbox
}
