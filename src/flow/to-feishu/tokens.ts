import type { ProxyChoice } from '../../platform/proxy.js'
import { createFeishuHttp, type FeishuHttp } from './feishu-http.js'
import { SharedToken } from './shared-token.js'
import { type AuthAnswer, later, readAuthAnswer, type TokenAnswer } from './token-answers.js'
import type { TokenKey, TokenStore } from './tokens-store.js'

export type { TokenAnswer } from './token-answers.js'

/**
 * Access tokens for every app and tenant. Called by the sender before each batch, and after an answer that refuses a
 * token: `evict`, ask again, repeat once. Rejects only when the store does.
 */
export interface Tokens {
  tenantToken(appId: string, tenantKey: string): Promise<TokenAnswer>
  /** Forgets the token if it is the one in use, and with `alsoAppToken` what it was made from. */
  evict(appId: string, tenantKey: string, token: string, also?: { alsoAppToken: boolean }): Promise<void>
  /** Keeps the newest ticket of a store app; `ts` as the event has it. */
  ticketArrived(appId: string, ticket: string, ts: string): Promise<void>
  stop(): Promise<void>
}

export interface TokenApp {
  appId: string
  appSecret: string
  appType: 'custom' | 'store'
  baseUrl: string
}

export interface TokensOptions {
  apps: readonly TokenApp[]
  store: TokenStore
  timeoutMs?: number
  proxy?: ProxyChoice | undefined
  now?: () => number
  random?: () => number
  onError?: (error: unknown) => void
}

const auth = '/open-apis/auth/v3'
/** The limit of resend is not known; the event may take minutes (§4.2). */
const askEveryMs = 120_000
/** Looking whether a ticket came costs a query and no call. */
const ticketPauseMs = 5_000

export function createTokens(options: TokensOptions): Tokens {
  const apps = new Map(options.apps.map((app) => [app.appId, new AppTokens(app, options)]))
  return {
    tenantToken: async (appId, tenantKey) => apps.get(appId)?.tenant(tenantKey).get() ?? unknownApp(),
    evict: async (appId, tenantKey, token, also) => apps.get(appId)?.evict(tenantKey, token, also?.alsoAppToken),
    ticketArrived: async (appId, ticket, ts) => apps.get(appId)?.ticketArrived(ticket, ts),
    stop: async () => {
      await Promise.all([...apps.values()].map((app) => app.stop()))
    },
  }
}

function unknownApp(): TokenAnswer {
  return { kind: 'unavailable', class: 'app', code: null, reason: 'the app is not configured', retryInMs: 60_000 }
}

class AppTokens {
  readonly #app: TokenApp
  readonly #options: TokensOptions
  readonly #http: FeishuHttp
  readonly #own: SharedToken
  readonly #tenants = new Map<string, SharedToken>()
  #refusedTicket: { ticket: string; atMs: number } | null = null

  constructor(app: TokenApp, options: TokensOptions) {
    this.#app = app
    this.#options = options
    this.#http = createFeishuHttp({ baseUrl: app.baseUrl, timeoutMs: this.#timeoutMs, proxy: options.proxy })
    this.#own = this.#share('', (backoffMs) => this.#fetchAppToken(backoffMs))
  }

  tenant(tenantKey: string): SharedToken {
    const known = this.#tenants.get(tenantKey)
    if (known) return known
    const made = this.#share(tenantKey, (backoffMs) => this.#fetchTenantToken(tenantKey, backoffMs))
    this.#tenants.set(tenantKey, made)
    return made
  }

  async evict(tenantKey: string, token: string, alsoAppToken = false): Promise<void> {
    const wasInUse = await this.tenant(tenantKey).evict(token)
    if (wasInUse && alsoAppToken && this.#app.appType === 'store') await this.#own.evictAny()
  }

  async ticketArrived(ticket: string, ts: string): Promise<void> {
    await this.#options.store.saveTicket(this.#app.appId, ticket, ts, this.#now())
    for (const token of [this.#own, ...this.#tenants.values()]) token.forgetRefusal()
  }

  stop(): Promise<void> {
    return this.#http.stop()
  }

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? 10_000
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now()
  }

  #share(tenantKey: string, fetch: (backoffMs: number) => Promise<AuthAnswer>): SharedToken {
    const { store, random = Math.random, onError = () => undefined } = this.#options
    const key: TokenKey = { appId: this.#app.appId, tenantKey }
    const leaseMs = this.#timeoutMs + 5_000
    return new SharedToken({ key, store, now: () => this.#now(), random, leaseMs, onError }, fetch)
  }

  #fetchTenantToken(tenantKey: string, backoffMs: number): Promise<AuthAnswer> {
    if (this.#app.appType === 'store') return this.#fetchStoreTenantToken(tenantKey, backoffMs, true)
    return this.#ask('tenant_access_token/internal', this.#credentials(), 'tenant_access_token', backoffMs)
  }

  async #fetchStoreTenantToken(tenantKey: string, backoffMs: number, mayRepeat: boolean): Promise<AuthAnswer> {
    const own = await this.#own.get()
    if (own.kind !== 'token') return own
    const body = { app_access_token: own.token, tenant_key: tenantKey }
    const answer = await this.#ask('tenant_access_token', body, 'tenant_access_token', backoffMs)
    if (answer.kind !== 'app_token_refused' && answer.kind !== 'ticket_refused') return answer
    await this.#own.evict(own.token)
    return mayRepeat ? this.#fetchStoreTenantToken(tenantKey, backoffMs, false) : answer
  }

  async #fetchAppToken(backoffMs: number): Promise<AuthAnswer> {
    const ticket = await this.#options.store.readTicket(this.#app.appId)
    if (ticket === null) return this.#askForTicket(null)
    if (this.#wasRefused(ticket)) return this.#askForTicket(10012)
    const body = { ...this.#credentials(), app_ticket: ticket }
    const answer = await this.#ask('app_access_token', body, 'app_access_token', backoffMs)
    if (answer.kind !== 'ticket_refused') return answer
    this.#refusedTicket = { ticket, atMs: this.#now() }
    return this.#askForTicket(answer.code)
  }

  #wasRefused(ticket: string): boolean {
    const refused = this.#refusedTicket
    return refused?.ticket === ticket && Math.abs(this.#now() - refused.atMs) < askEveryMs
  }

  /** The ticket comes as an event, to any process. */
  async #askForTicket(code: number | null): Promise<AuthAnswer> {
    const waiting = later(code, 'waits for an app ticket, which Feishu sends as an event', ticketPauseMs)
    const { appId } = this.#app
    if (!(await this.#options.store.mayAskForTicket(appId, this.#now(), askEveryMs))) return waiting
    const answer = await this.#ask('app_ticket/resend', this.#credentials(), '', ticketPauseMs)
    return answer.kind === 'unavailable' && answer.class !== 'later' ? answer : waiting
  }

  #credentials(): { app_id: string; app_secret: string } {
    return { app_id: this.#app.appId, app_secret: this.#app.appSecret }
  }

  async #ask(path: string, body: object, field: string, backoffMs: number): Promise<AuthAnswer> {
    const url = `${this.#app.baseUrl.replace(/\/+$/, '')}${auth}/${path}`
    const headers = { 'content-type': 'application/json; charset=utf-8' }
    const reply = await this.#http.send({ method: 'POST', url, headers, body: JSON.stringify(body) }, {})
    return readAuthAnswer(reply, field, backoffMs)
  }
}
