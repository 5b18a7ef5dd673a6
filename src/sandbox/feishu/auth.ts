import { z } from 'zod'
import { complaints, readable } from '../support/complaint.js'
import { type Answer, type RefusalName, refuse } from './answers.js'
import type { AuthApiName } from './apis.js'
import type { App, Directory, InstallState } from './directory.js'
import type { Switches } from './switches.js'
import type { Token, Tokens } from './tokens.js'

const credentials = z.looseObject({ app_id: z.string().min(1), app_secret: z.string().min(1) })
const withTicket = credentials.extend({ app_ticket: z.string().min(1) })
const forTenant = z.looseObject({ app_access_token: z.string().min(1), tenant_key: z.string().min(1) })

const stateRefusals: Record<Exclude<InstallState, 'active'>, RefusalName> = {
  uninstalled: 'tenantNotInstalled',
  disabled: 'tenantDisabled',
  unavailable: 'tenantUnavailable',
}

type Parts = {
  directory: Directory
  tokens: Tokens
  tickets: Tickets
  switches: Switches
  /** Asks for the event with a ticket. */
  pushTicket: (appId: string) => void
}

/** The tickets of store apps, newest first. */
export class Tickets {
  #byApp = new Map<string, string[]>()

  make(appId: string, ticket: string): void {
    this.#byApp.set(appId, [ticket, ...(this.#byApp.get(appId) ?? [])])
  }

  isValid(appId: string, ticket: string, oldOnes: Switches['oldAppTickets']): boolean {
    const tickets = this.#byApp.get(appId) ?? []
    return oldOnes === 'accepted' ? tickets.includes(ticket) : tickets[0] === ticket
  }

  newest(appId: string): string | undefined {
    return this.#byApp.get(appId)?.[0]
  }
}

/** The token endpoints of contract §4.2; their answers stand at the top level. */
export class Auth {
  #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  handle(name: AuthApiName, body: unknown): Answer {
    switch (name) {
      case 'auth.tenant_access_token.internal':
        return this.#custom(body, (app, tenantKey) => this.#tenantToken(app.appId, tenantKey))
      case 'auth.app_access_token.internal':
        return this.#custom(body, (app, tenantKey) => this.#bothTokens(app.appId, tenantKey))
      case 'auth.app_access_token':
        return this.#storeAppToken(body)
      case 'auth.tenant_access_token':
        return this.#storeTenantToken(body)
      case 'auth.app_ticket.resend':
        return this.#resend(body)
    }
  }

  /** Whether an app may act in a tenant now; undefined when it may. */
  refusalFor(tenantKey: string, appId: string): Answer | undefined {
    const state = this.#parts.directory.installState(tenantKey, appId)
    return state === 'active' ? undefined : refuse(stateRefusals[state], `app ${appId} in tenant ${tenantKey}`)
  }

  #custom(body: unknown, give: (app: App, tenantKey: string) => Answer): Answer {
    return this.#withApp(credentials, body, (app) => {
      if (app.appType !== 'custom')
        return refuse('badTokenRequest', `${app.appId} is a store app; expected a custom app`)
      const tenantKey = this.#parts.directory.tenantOfCustomApp(app.appId)
      if (tenantKey === undefined) return refuse('appUnavailable', `${app.appId} is installed nowhere`)
      return this.refusalFor(tenantKey, app.appId) ?? give(app, tenantKey)
    })
  }

  #storeAppToken(body: unknown): Answer {
    return this.#withApp(withTicket, body, (app, { app_ticket }) => {
      if (app.appType !== 'store')
        return refuse('badTokenRequest', `${app.appId} is a custom app; expected a store app`)
      if (!this.#parts.tickets.isValid(app.appId, app_ticket, this.#parts.switches.oldAppTickets)) {
        return refuse('appTicketInvalid')
      }
      return this.#answer({ app_access_token: this.#parts.tokens.appToken(app.appId) })
    })
  }

  #storeTenantToken(body: unknown): Answer {
    const parsed = forTenant.safeParse(body)
    if (!parsed.success) return refuse('badTokenRequest', readable(complaints(parsed.error, body)))
    const appToken = this.#parts.tokens.find(parsed.data.app_access_token)
    if (appToken?.kind !== 'app') return refuse('appTokenInvalid')
    const { tenant_key } = parsed.data
    return this.refusalFor(tenant_key, appToken.appId) ?? this.#tenantToken(appToken.appId, tenant_key)
  }

  #resend(body: unknown): Answer {
    return this.#withApp(credentials, body, (app) => {
      if (app.appType !== 'store') return refuse('resendForCustomApp')
      this.#parts.pushTicket(app.appId)
      return { code: 0, http: 200, msg: 'success', applied: true, flat: {} }
    })
  }

  #withApp<T extends { app_id: string; app_secret: string }>(
    schema: z.ZodType<T>,
    body: unknown,
    go: (app: App, body: T) => Answer,
  ): Answer {
    const parsed = schema.safeParse(body)
    if (!parsed.success) return refuse('badTokenRequest', readable(complaints(parsed.error, body)))
    const app = this.#parts.directory.findApp(parsed.data.app_id)
    if (!app) return refuse('badTokenRequest', `no app ${parsed.data.app_id}`)
    if (app.appSecret !== parsed.data.app_secret) return refuse('wrongSecret')
    return go(app, parsed.data)
  }

  #tenantToken(appId: string, tenantKey: string): Answer {
    return this.#answer({ tenant_access_token: this.#parts.tokens.tenantToken(appId, tenantKey) })
  }

  #bothTokens(appId: string, tenantKey: string): Answer {
    const { tokens } = this.#parts
    return this.#answer({
      tenant_access_token: tokens.tenantToken(appId, tenantKey),
      app_access_token: tokens.appToken(appId),
    })
  }

  #answer(given: Record<string, Token>): Answer {
    const values = Object.entries(given).map(([name, token]) => [name, token.value] as const)
    const expire = Math.min(...Object.values(given).map((token) => this.#parts.tokens.secondsLeft(token)))
    return { code: 0, http: 200, msg: 'ok', applied: true, flat: { ...Object.fromEntries(values), expire } }
  }
}
