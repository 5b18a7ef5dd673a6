import { randomUUID } from 'node:crypto'
import type { SandboxAccount } from './catalog.js'
import type { App } from './directory.js'
import type { SandboxOrder } from './orders.js'

export type LifeCycleStatus = 'start_by_tenant' | 'stop_by_tenant' | 'stop_by_platform'
export type LifeCycle =
  | { type: 'app_open' }
  | { type: 'app_status_change'; status: LifeCycleStatus }
  | { type: 'app_uninstalled' }

type EventInput = { eventId: string; eventType: string; appId: string; tenantKey?: string; content: unknown }

export function newEventId(): string {
  return randomUUID().replaceAll('-', '')
}

/** Envelope v2.0 (contract §1.1). */
export function v2Event(
  app: App,
  tenantKey: string,
  eventType: string,
  event: unknown,
  eventId = newEventId(),
): EventInput {
  const header = {
    event_id: eventId,
    event_type: eventType,
    create_time: String(Date.now()),
    token: app.verificationToken,
    app_id: app.appId,
    tenant_key: tenantKey,
  }
  return { eventId, eventType, appId: app.appId, tenantKey, content: { schema: '2.0', header, event } }
}

/** Envelope v1.0 of store apps (contract §1.6): `ts` is seconds with a fraction. */
export function v1Event(app: App, event: { type: string; tenant_key?: string } & Record<string, unknown>): EventInput {
  const uuid = newEventId()
  const content = {
    ts: (Date.now() / 1000).toFixed(4),
    uuid,
    token: app.verificationToken,
    type: 'event_callback',
    event: { app_id: app.appId, ...event },
  }
  const { type: eventType, tenant_key: tenantKey } = event
  return { eventId: uuid, eventType, appId: app.appId, content, ...(tenantKey === undefined ? {} : { tenantKey }) }
}

/** §1.2 */
export function accountCreated(
  account: SandboxAccount,
  usageList: readonly number[],
  customFields: ReadonlyArray<{ key: string; value: string }>,
) {
  return {
    scope: account.scope,
    account_id: account.accountId,
    account_name: account.name,
    usage_list: usageList,
    custom_field_list: customFields,
  }
}

/** §1.3 */
export function orderCreated(order: SandboxOrder) {
  return {
    background_check_id: order.backgroundCheckId,
    account_id: order.accountId,
    package_id: order.packageId,
    additional_item_id_list: order.additionalItemIds,
    comment: order.comment,
    candidate_info: order.candidate,
    client_contact_info: order.contact,
    custom_field_list: order.customFields,
  }
}

/** §1.4 */
export function orderCanceled(order: SandboxOrder) {
  return { background_check_id: order.backgroundCheckId, termination_reason: order.terminationReason ?? '' }
}
