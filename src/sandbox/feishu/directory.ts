import { NotThere } from '../support/refusals.js'
import { everyScope, type SandboxApp, type SandboxTenant } from './options.js'

export type InstallState = 'active' | 'disabled' | 'unavailable' | 'uninstalled'
export type App = SandboxApp & { scopes: readonly string[] }
export type Tenant = {
  tenantKey: string
  reportApproval?: boolean
  tripartiteSwitch: boolean
  installs: Map<string, InstallState>
}

/** Apps, tenants, and which app is installed where. */
export class Directory {
  #apps = new Map<string, App>()
  #tenants = new Map<string, Tenant>()

  constructor(apps: readonly SandboxApp[], tenants: readonly SandboxTenant[]) {
    for (const app of apps) this.addApp(app)
    for (const tenant of tenants) this.addTenant(tenant)
  }

  addApp(app: SandboxApp): void {
    if (!app.encryptKey) throw new Error(`app ${app.appId} has no encryptKey; the sandbox knows encrypted events only`)
    this.#apps.set(app.appId, { ...app, scopes: app.scopes ?? everyScope })
  }

  addTenant({ tenantKey, appIds, reportApproval, tripartiteSwitch = true }: SandboxTenant): void {
    const installs = this.#tenants.get(tenantKey)?.installs ?? new Map<string, InstallState>()
    this.#tenants.set(tenantKey, {
      tenantKey,
      tripartiteSwitch,
      installs,
      ...(reportApproval === undefined ? {} : { reportApproval }),
    })
    for (const appId of appIds) this.#install(tenantKey, appId)
  }

  apps(): App[] {
    return [...this.#apps.values()]
  }

  findApp(appId: string): App | undefined {
    return this.#apps.get(appId)
  }

  app(appId: string): App {
    const app = this.#apps.get(appId)
    if (!app) throw new NotThere(`no app ${appId} in this sandbox; there are ${[...this.#apps.keys()].join(', ')}`)
    return app
  }

  tenant(tenantKey: string): Tenant {
    const tenant = this.#tenants.get(tenantKey)
    if (!tenant) {
      throw new NotThere(`no tenant ${tenantKey} in this sandbox; there are ${[...this.#tenants.keys()].join(', ')}`)
    }
    return tenant
  }

  installState(tenantKey: string, appId: string): InstallState {
    return this.#tenants.get(tenantKey)?.installs.get(appId) ?? 'uninstalled'
  }

  setInstallState(tenantKey: string, appId: string, state: InstallState): void {
    this.app(appId)
    this.tenant(tenantKey).installs.set(appId, state)
  }

  tenantOfCustomApp(appId: string): string | undefined {
    return this.tenantsOf(appId)[0]
  }

  tenantsOf(appId: string): string[] {
    return [...this.#tenants.values()].filter((tenant) => tenant.installs.has(appId)).map((tenant) => tenant.tenantKey)
  }

  #install(tenantKey: string, appId: string): void {
    const app = this.app(appId)
    const elsewhere = this.tenantsOf(appId).find((key) => key !== tenantKey)
    if (app.appType === 'custom' && elsewhere !== undefined) {
      throw new Error(`${appId} is a custom app: it is in ${elsewhere} and cannot be in ${tenantKey} too`)
    }
    this.tenant(tenantKey).installs.set(appId, 'active')
  }
}
