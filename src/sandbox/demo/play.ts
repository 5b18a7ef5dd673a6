import type { SandboxFeishu, SandboxVendor } from '../index.js'
import { type Incident, incidents } from './incidents.js'
import { approveAfterMs, type CustomerId, customers, type Life, lives, orderEveryMs } from './lives.js'
import { demoApps } from './stage.js'

/** A life on its way: what was done in it so far. */
export interface Part {
  life: Life
  checkId?: string
  canceled?: true
  /** Its own event, which comes after its cancel. */
  late?: { eventId: string; pushAtMs: number }
  inApprovalSince?: number
  approved?: true
}

/** What the customers do, step by step: `act` does whatever is due. */
export interface Play {
  readonly parts: readonly Part[]
  /** Incidents so far, the last one last. */
  readonly happened: readonly Incident[]
  act(nowMs: number): void
}

const pushEveryMs = 1000

type Both = { feishu: SandboxFeishu; vendor: SandboxVendor }

/** Binds an account for each customer; then `act` goes on from `nowMs` 0. */
export function startPlay({ feishu, vendor }: Both): Play {
  const parts: Part[] = lives.map((life) => ({ life }))
  const happened: Incident[] = []
  vendor.setScenario((order) => parts.find((part) => part.checkId === order.backgroundCheckId)?.life.vendor ?? [])
  feishu.sendAppTicket(demoApps.store.appId)
  const dawn = demoApps[customers.dawn.app].appId
  feishu.sendLifeCycle(dawn, customers.dawn.tenantKey, { type: 'app_open' })
  const accounts = { dawn: bindAccount(feishu, 'dawn'), bridge: bindAccount(feishu, 'bridge') }
  return {
    parts,
    happened,
    act: (nowMs) => {
      for (const incident of incidents.slice(happened.length)) {
        if (incident.atMs > nowMs) break
        happened.push(incident)
        happen({ feishu, vendor }, incident)
      }
      for (const [index, part] of parts.entries()) {
        if (part.checkId !== undefined) goOn(feishu, part, part.checkId, nowMs)
        else if (nowMs >= index * orderEveryMs) order({ feishu, vendor }, part, accounts[part.life.customer], nowMs)
      }
    },
  }
}

function bindAccount(feishu: SandboxFeishu, id: CustomerId): string {
  const { name, tenantKey, app } = customers[id]
  const customFields = [{ key: 'vendor_org_id', value: `ORG-${id}` }]
  return feishu.createAccount({ appId: demoApps[app].appId, tenantKey, accountName: name, customFields }).accountId
}

/** Faults are planned in the same turn, before the event can go out. */
function order({ feishu, vendor }: Both, part: Part, accountId: string, nowMs: number): void {
  const { customer, candidate, canceled, copies, feishuFaults = [], vendorFaults = [] } = part.life
  const { tenantKey, app } = customers[customer]
  const hold = canceled === 'before it is ordered'
  const { backgroundCheckId, event } = feishu.createOrder({
    appId: demoApps[app].appId,
    tenantKey,
    accountId,
    candidate: { name: candidate, email: 'candidate@example.com', mobile: { code: '86', number: '13000000000' } },
    hold,
  })
  part.checkId = backgroundCheckId
  for (const { api, ...fault } of feishuFaults) feishu.addFault({ match: { api, backgroundCheckId }, ...fault })
  for (const { operation, ...fault } of vendorFaults) {
    vendor.addFault({ match: { operation, backgroundCheckId }, ...fault })
  }
  if (copies !== undefined) void feishu.sendCopies(event.eventId, copies)
  if (canceled === 'at once' || hold) cancel(feishu, part, backgroundCheckId)
  if (hold) part.late = { eventId: event.eventId, pushAtMs: nowMs + pushEveryMs }
}

function goOn(feishu: SandboxFeishu, part: Part, checkId: string, nowMs: number): void {
  pushLate(feishu, part, nowMs)
  const { stages, status } = feishu.order(checkId)
  const { canceled } = part.life
  if (typeof canceled === 'object' && !part.canceled && stages.length >= canceled.afterStages) {
    cancel(feishu, part, checkId)
  }
  if (status !== 'in_approval') return
  part.inApprovalSince ??= nowMs
  if (nowMs - part.inApprovalSince < approveAfterMs) return
  feishu.approve(checkId)
  part.approved = true
}

/** Again and again, until it is acknowledged: what is held back has no schedule. */
function pushLate(feishu: SandboxFeishu, { late }: Part, nowMs: number): void {
  if (late === undefined || nowMs < late.pushAtMs || feishu.event(late.eventId).acknowledged) return
  late.pushAtMs = nowMs + pushEveryMs
  void feishu.redeliver(late.eventId)
}

function cancel(feishu: SandboxFeishu, part: Part, checkId: string): void {
  part.canceled = true
  feishu.cancelOrder(checkId, { reason: 'the candidate withdrew' })
}

function happen({ feishu, vendor }: Both, incident: Incident): void {
  if (incident.vendor) vendor.addFault(incident.vendor)
  if (incident.feishu) {
    const { customer, api, ...fault } = incident.feishu
    feishu.addFault({ match: { tenantKey: customers[customer].tenantKey, ...(api && { api }) }, ...fault })
  }
  if (incident.lifeCycle) {
    const { tenantKey, app } = customers[incident.lifeCycle.customer]
    feishu.sendLifeCycle(demoApps[app].appId, tenantKey, incident.lifeCycle.change)
  }
  if (incident.revokesTokens) feishu.revokeTokens()
}
