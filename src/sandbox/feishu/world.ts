import { randomBytes } from 'node:crypto'
import { post } from '../support/post.js'
import { Refused } from '../support/refusals.js'
import { AccountFields } from './account-fields.js'
import { Agreements } from './agreements.js'
import type { Answer } from './answers.js'
import { Auth, Tickets } from './auth.js'
import type { Body } from './bodies.js'
import { Catalog } from './catalog.js'
import { Directory, type InstallState } from './directory.js'
import type { HireCall } from './door.js'
import { accountCreated, type LifeCycle, newEventId, orderCanceled, orderCreated, v1Event, v2Event } from './events.js'
import {
  type AccountInput,
  newAccount,
  newOrder,
  type OrderInput,
  type RawEventInput,
  type UrlVerification,
} from './inputs.js'
import { Journal } from './journal.js'
import type { SandboxApp, SandboxTenant, Settings } from './options.js'
import { isClosed, Orders, type SandboxOrder } from './orders.js'
import { type PushedEvent, Pushes } from './pushes.js'
import { encryptedBody, jsonHeaders } from './seal.js'
import { Tokens } from './tokens.js'

/** Everything that this Feishu knows, and what its users do in it. */
export class World {
  readonly directory: Directory
  readonly tokens: Tokens
  readonly tickets = new Tickets()
  readonly auth: Auth
  readonly journal = new Journal()
  readonly pushes: Pushes
  readonly orders: Orders
  readonly catalog: Catalog
  readonly accountFields = new AccountFields()
  readonly agreements: Agreements
  #settings: Settings
  #ticketTimers = new Set<NodeJS.Timeout>()
  // Beyond 2^53, as Feishu's are: an id that became a number anywhere is another one.
  #lastId = 7_400_000_000_000_000_001n + BigInt(Math.floor(Math.random() * 1e12)) * 1_000_003n

  constructor(settings: Settings, apps: readonly SandboxApp[], tenants: readonly SandboxTenant[]) {
    const { switches } = settings
    this.#settings = settings
    this.directory = new Directory(apps, tenants)
    this.tokens = new Tokens(settings.tokenLifeSeconds)
    this.pushes = new Pushes(this.directory, settings)
    this.catalog = new Catalog(switches)
    this.orders = new Orders(switches, (key) => this.directory.tenant(key).reportApproval ?? switches.reportApproval)
    this.agreements = new Agreements(
      (key) => this.directory.tenant(key).tripartiteSwitch,
      () => this.newId(),
    )
    this.auth = new Auth({
      directory: this.directory,
      tokens: this.tokens,
      tickets: this.tickets,
      switches,
      pushTicket: (appId) => this.#pushTicketLater(appId),
    })
  }

  stop(): void {
    this.pushes.stop()
    for (const timer of this.#ticketTimers) clearTimeout(timer)
  }

  newId(): string {
    this.#lastId += 1n
    return String(this.#lastId)
  }

  createAccount(input: AccountInput): { accountId: string; event: PushedEvent } {
    const { appId, tenantKey, usageList = [1], customFields = [], hold = false } = input
    const accountId = input.accountId ?? this.newId()
    this.#expectInstalled(appId, tenantKey)
    const account = newAccount(input, accountId)
    this.catalog.add(account)
    const event = accountCreated(account, usageList, customFields)
    const push = v2Event(this.directory.app(appId), tenantKey, 'hire.eco_account.created_v1', event)
    return { accountId, event: this.pushes.start(push, { hold }) }
  }

  createOrder(input: OrderInput): { backgroundCheckId: string; event: PushedEvent } {
    this.#expectInstalled(input.appId, input.tenantKey)
    const order = newOrder(input, input.backgroundCheckId ?? this.newId())
    this.orders.add(order)
    const { appId, tenantKey, otherProvider } = order
    const push = v2Event(
      this.directory.app(appId),
      tenantKey,
      'hire.eco_background_check.created_v1',
      orderCreated(order),
    )
    const event = this.pushes.start(push, { hold: otherProvider || (input.hold ?? false) })
    return { backgroundCheckId: order.backgroundCheckId, event }
  }

  cancelOrder(
    id: string,
    options: { reason?: string; tenantKey?: string; hold?: boolean; evenIfClosed?: boolean } = {},
  ): PushedEvent {
    const { reason = 'candidate withdrew', tenantKey, hold = false, evenIfClosed = false } = options
    const order = this.orders.get(id, tenantKey)
    if (isClosed(order) && !evenIfClosed)
      throw new Refused(`order ${id} is ${order.status}; only an open one can be canceled`)
    this.orders.cancelByCustomer(order, reason)
    return this.#pushCanceled(order, hold)
  }

  sendAppTicket(appId: string, ticket = `ticket_${randomBytes(12).toString('hex')}`): PushedEvent {
    const app = this.directory.app(appId)
    if (app.appType !== 'store') throw new Refused(`${appId} is a custom app; app_ticket is for store apps`)
    this.tickets.make(appId, ticket)
    return this.pushes.start(v1Event(app, { type: 'app_ticket', app_ticket: ticket }))
  }

  sendLifeCycle(appId: string, tenantKey: string, lifeCycle: LifeCycle): PushedEvent {
    this.directory.setInstallState(tenantKey, appId, stateAfter(lifeCycle))
    return this.pushes.start(v1Event(this.directory.app(appId), { ...lifeCycle, tenant_key: tenantKey }))
  }

  sendEvent({ appId, tenantKey, eventType, event, eventId = newEventId(), hold = false }: RawEventInput): PushedEvent {
    return this.pushes.start(v2Event(this.directory.app(appId), tenantKey, eventType, event, eventId), { hold })
  }

  /** As saving the request URL does it: encrypted, without signature headers, 1 s (contract §1.7). */
  async verifyUrl(appId: string, options: { token?: string; challenge?: string } = {}): Promise<UrlVerification> {
    const app = this.directory.app(appId)
    const { token = app.verificationToken, challenge = randomBytes(16).toString('hex') } = options
    const body = encryptedBody(app.encryptKey, { challenge, token, type: 'url_verification' })
    const startedAt = Date.now()
    const outcome = await post({ url: urlOf(app), headers: jsonHeaders, body, timeoutMs: 1000 })
    const ms = Date.now() - startedAt
    if (outcome.kind === 'timeout') return { ok: false, reason: 'expected an answer within 1 s; none came', ms }
    if (outcome.kind === 'unreachable') return { ok: false, reason: outcome.reason, ms }
    const ok = outcome.status === 200 && echoes(outcome.body, challenge)
    const reason = ok
      ? {}
      : { reason: `expected 200 {"challenge":"${challenge}"}; ${outcome.status} ${outcome.body.slice(0, 200)} came` }
    return { ok, httpStatus: outcome.status, body: outcome.body, ms, ...reason }
  }

  async sendBytes(appId: string, body: string | Buffer, headers: Record<string, string> = jsonHeaders) {
    const url = urlOf(this.directory.app(appId))
    const outcome = await post({ url, headers, body: Buffer.from(body), timeoutMs: this.#settings.ackTimeoutMs })
    if (outcome.kind === 'answered') return { httpStatus: outcome.status, body: outcome.body }
    throw new Error(
      `expected an answer from ${url}; ${outcome.kind === 'timeout' ? 'none came in time' : outcome.reason}`,
    )
  }

  /** The vendor's own cancel, which may come back as an event. */
  cancelByVendor(caller: HireCall['caller'], body: Body<'cancel'>): Answer {
    const answer = this.orders.cancelByVendor(caller, body)
    if (answer.applied && this.#settings.switches.cancelEcho) {
      this.#pushCanceled(this.orders.get(body.background_check_id, caller.tenantKey), false)
    }
    return answer
  }

  #pushCanceled(order: SandboxOrder, hold: boolean): PushedEvent {
    const app = this.directory.app(order.appId)
    const push = v2Event(app, order.tenantKey, 'hire.eco_background_check.canceled_v1', orderCanceled(order))
    return this.pushes.start(push, { hold })
  }

  #pushTicketLater(appId: string): void {
    const timer = setTimeout(() => {
      this.#ticketTimers.delete(timer)
      this.sendAppTicket(appId)
    }, this.#settings.ticketDelayMs)
    this.#ticketTimers.add(timer)
  }

  #expectInstalled(appId: string, tenantKey: string): void {
    this.directory.app(appId)
    if (!this.directory.tenant(tenantKey).installs.has(appId)) {
      throw new Refused(`app ${appId} is not installed in tenant ${tenantKey}; add it with addTenant`)
    }
  }
}

function stateAfter(lifeCycle: LifeCycle): InstallState {
  if (lifeCycle.type === 'app_uninstalled') return 'uninstalled'
  if (lifeCycle.type === 'app_open' || lifeCycle.status === 'start_by_tenant') return 'active'
  return lifeCycle.status === 'stop_by_tenant' ? 'disabled' : 'unavailable'
}

function urlOf(app: SandboxApp): string {
  if (!app.eventUrl) throw new Refused(`app ${app.appId} has no event URL yet; set it with setEventUrl`)
  return app.eventUrl
}

function echoes(body: string, challenge: string): boolean {
  try {
    return (JSON.parse(body) as { challenge?: unknown }).challenge === challenge
  } catch {
    return false
  }
}
