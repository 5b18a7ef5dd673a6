import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { registerAccount } from '../accounts/register.js'
import { changeTenant, type TenantState } from '../accounts/tenants.js'
import { cancelByCustomer } from '../orders/cancel.js'
import { type Effect, receiveOrder } from '../orders/receive.js'
import { createTokenStore } from '../to-feishu/tokens-store.js'
import type { OrderToPlace, Person } from '../vendor/adapter.js'
import * as events from './events.js'

export interface KeptEvent {
  appId: string
  tenantKey: string
  createTime: string
  payload: Buffer
}

/** What an event does to the database; `refused` keeps it as failed with the reason, `ignored` as ignored. */
export type EffectOf = (sql: Sql, sealer: Sealer, event: KeptEvent) => Promise<Effect | { kind: 'ignored' }>

/** One handler for each event type that takes effect. */
export const effects: Readonly<Record<string, EffectOf>> = {
  'hire.eco_account.created_v1': ofTenant('header', bindAccount),
  'hire.eco_background_check.created_v1': ofTenant('header', createCheck),
  'hire.eco_background_check.canceled_v1': ofTenant('header', cancelCheck),
  app_ticket: keepTicket,
  app_open: ofTenant(
    'event',
    tenantEvent(() => 'active'),
  ),
  app_uninstalled: ofTenant(
    'event',
    tenantEvent(() => 'uninstalled'),
  ),
  app_status_change: ofTenant('event', tenantEvent(stateOfStatus)),
}

const backgroundCheckScope = 1

/** Whatever belongs to nobody would belong to everybody that sends no tenant. */
function ofTenant(part: 'header' | 'event', effect: EffectOf): EffectOf {
  return async (sql, sealer, event) =>
    event.tenantKey === ''
      ? { kind: 'refused', problem: `${part}.tenant_key: expected a tenant` }
      : effect(sql, sealer, event)
}

async function bindAccount(sql: Sql, sealer: Sealer, event: KeptEvent): Promise<Effect | { kind: 'ignored' }> {
  const body = events.readEventBody(event.payload, events.accountCreated)
  if ('problem' in body) return { kind: 'refused', problem: body.problem }
  if (body.ok.scope !== undefined && body.ok.scope !== backgroundCheckScope) return { kind: 'ignored' }
  return registerAccount(sql, sealer, event, {
    accountId: body.ok.account_id,
    tenantKey: event.tenantKey,
    accountName: body.ok.account_name ?? '',
    usageList: (body.ok.usage_list ?? []).filter((usage) => Number.isInteger(usage) && Math.abs(usage) < 2 ** 31),
    customFields: fieldsOf(body.ok.custom_field_list),
  })
}

async function createCheck(sql: Sql, sealer: Sealer, event: KeptEvent): Promise<Effect> {
  const body = events.readEventBody(event.payload, events.checkCreated)
  if ('problem' in body) return { kind: 'refused', problem: body.problem }
  return receiveOrder(sql, sealer, event, orderOf(event.tenantKey, body.ok))
}

function orderOf(tenantKey: string, check: events.CheckCreated): OrderToPlace {
  return {
    backgroundCheckId: check.background_check_id,
    accountId: check.account_id ?? '',
    tenantKey,
    packageId: check.package_id ?? '',
    additionalItemIds: check.additional_item_id_list ?? [],
    candidate: personOf(check.candidate_info),
    contact: personOf(check.client_contact_info),
    customFields: fieldsOf(check.custom_field_list),
    comment: check.comment ?? '',
  }
}

async function cancelCheck(sql: Sql, sealer: Sealer, event: KeptEvent): Promise<Effect> {
  const body = events.readEventBody(event.payload, events.checkCanceled)
  if ('problem' in body) return { kind: 'refused', problem: body.problem }
  return cancelByCustomer(sql, sealer, event, body.ok.background_check_id, body.ok.termination_reason ?? '')
}

async function keepTicket(sql: Sql, sealer: Sealer, event: KeptEvent): Promise<Effect> {
  const body = events.readEventBody(event.payload, events.appTicket)
  if ('problem' in body) return { kind: 'refused', problem: body.problem }
  await createTokenStore(sql, sealer).saveTicket(event.appId, body.ok.app_ticket, timeOf(event), Date.now())
  return { kind: 'done' }
}

function tenantEvent(stateOf: (status: string) => TenantState | null): EffectOf {
  return async (sql, _sealer, event) => {
    const body = events.readEventBody(event.payload, events.tenantChanged)
    if ('problem' in body) return { kind: 'refused', problem: body.problem }
    const state = stateOf(body.ok.status ?? '')
    if (state === null)
      return { kind: 'refused', problem: 'event.status: expected start_by_tenant, stop_by_tenant or stop_by_platform' }
    await changeTenant(sql, { appId: event.appId, tenantKey: event.tenantKey, state, ts: timeOf(event) })
    return { kind: 'done' }
  }
}

function stateOfStatus(status: string): TenantState | null {
  if (status === 'start_by_tenant') return 'active'
  if (status === 'stop_by_tenant') return 'stopped_by_tenant'
  return status === 'stop_by_platform' ? 'stopped_by_platform' : null
}

/** v1 envelopes tell seconds with a fraction; whatever is no number is the oldest. */
function timeOf(event: KeptEvent): string {
  return /^\d{1,20}(\.\d{1,9})?$/.test(event.createTime) ? event.createTime : '0'
}

function fieldsOf(
  list: ReadonlyArray<{ key?: string | null | undefined; value?: string | undefined }> | undefined,
): Record<string, string> {
  return Object.fromEntries((list ?? []).flatMap(({ key, value }) => (key == null ? [] : [[key, value ?? '']])))
}

function personOf(person: events.CheckCreated['candidate_info']): Person {
  if (person === undefined) return {}
  const { name, first_name: firstName, last_name: lastName, email, mobile } = person
  return {
    ...(name !== undefined && { name }),
    ...(firstName !== undefined && { firstName }),
    ...(lastName !== undefined && { lastName }),
    ...(email !== undefined && { email }),
    ...(mobile !== undefined && {
      mobile: {
        ...(mobile.code !== undefined && { code: mobile.code }),
        ...(mobile.number !== undefined && { number: mobile.number }),
      },
    }),
  }
}
