/**
 * The map of the flow: each hop and the shape that travels over it.
 *
 *   Feishu ──▶ from-feishu ── ReceivedEvent ──▶ inbox ── orders/accounts ──▶ vendor
 *                                                          │ poll, diff
 *                                                          ▼
 *   Feishu ◀── to-feishu ◀── deliveries (rows) ◀── outbox ── DeliveryToPut
 *
 * Rooms import shapes from here and hand over through one file of the next room.
 */

/** from-feishu → inbox: a verified, decrypted event. */
export interface ReceivedEvent {
  appId: string
  /** `header.event_id` (v2) or `uuid` (v1): what makes it the same event. */
  eventId: string
  type: string
  /** Empty where the envelope names no tenant (app_ticket). */
  tenantKey: string
  /** As Feishu wrote it; the unit differs between events (contract §1.1). */
  createTime: string
  /** The decrypted JSON text. */
  payload: Buffer
  /** W3C traceparent of its receiving, while tracing is on. */
  traceParent?: string | null
}

/** Who sent an event: orders and accounts of another app or tenant are never touched by it. */
export interface Origin {
  appId: string
  tenantKey: string
}

/** inbox → from-feishu: what became of an event. `unavailable`: not known to be committed, Feishu shall send it again. */
export type Acceptance = 'accepted' | 'duplicate' | 'unavailable'

export interface Inbox {
  accept(event: ReceivedEvent): Promise<Acceptance>
  /** Whether the event was committed before; `unavailable` when the database does not answer in time. */
  isKnown(appId: string, eventId: string): Promise<boolean | 'unavailable'>
}

/** A report as Feishu takes it (contract §3.2). */
export interface FeishuReport {
  report_name: string
  report_url: string
  report_url_type: 1 | 2
}

export interface ProgressBody {
  background_check_id: string
  stage_id: string
  stage_name: string
  stage_en_name?: string
  /** Milliseconds since 1970 as text. */
  stage_time: string
  result?: string
  report_file_list?: FeishuReport[]
}

export interface ResultBody {
  background_check_id: string
  result: string
  result_time: string
  report_file_list?: FeishuReport[]
}

export interface CancelBody {
  background_check_id: string
}

export type OrderBody =
  /** `earlierTimes`: other values of `stage_time` that attempts were made with, one of which Feishu may have taken. */
  | { api: 'update_progress'; body: ProgressBody; earlierTimes?: readonly string[] }
  | { api: 'update_result'; body: ResultBody }
  | { api: 'cancel'; body: CancelBody }

/** A text in the languages of Feishu; each part is optional (contract §3.5). */
export interface LocalizedText {
  zh_cn?: string
  en_us?: string
}

/** A package or an additional item (contract §3.6). */
export interface CatalogItem {
  id: string
  name: string
  description?: string
}

/** A field of the order form (contract §3.5). */
export interface OrderField {
  type: string
  key: string
  name: LocalizedText
  is_required: boolean
  description?: LocalizedText
  options?: Array<{ key: string; name: LocalizedText }>
}

/** A field of the form that a customer fills in when binding (contract §3.7). */
export interface AccountField {
  key: string
  name: LocalizedText
  is_required: boolean
  description?: LocalizedText
}

export interface PackagesBody {
  account_id: string
  package_list: CatalogItem[]
  additional_item_list?: CatalogItem[]
}

/** What is sent to Feishu and belongs to no order. The id of an agreement travels in the path. */
export type OtherBody =
  | {
      api: 'custom_fields.create' | 'custom_fields.batch_update'
      body: { account_id: string; custom_field_list: OrderField[] }
    }
  | { api: 'custom_fields.batch_delete'; body: { account_id: string } }
  | { api: 'packages.create' | 'packages.batch_update'; body: PackagesBody }
  | {
      api: 'packages.batch_delete'
      body: { account_id: string; package_id_list?: string[]; additional_item_id_list?: string[] }
    }
  | {
      api: 'account_custom_fields.create' | 'account_custom_fields.batch_update'
      body: { scope: 1 | 2; custom_field_list: AccountField[] }
    }
  | { api: 'account_custom_fields.batch_delete'; body: { scope: 1 | 2; custom_field_key_list: string[] } }
  | { api: 'tripartite_agreements.create'; body: { application_id: string; state: number; create_time: string } }
  | {
      api: 'tripartite_agreements.update'
      body: { tripartite_agreement_id: string; state: number; modify_time: string }
    }
  | { api: 'tripartite_agreements.delete'; body: { tripartite_agreement_id: string } }

export type DeliveryBody = OrderBody | OtherBody

/**
 * Creates that must not be repeated when their outcome is not known: an update of the same set tells whether it is there
 * (contract §3.11). While a delivery is probed it lies in the bucket of the method that asks.
 */
export const probes: Readonly<Partial<Record<string, 'packages.batch_update' | 'custom_fields.batch_update'>>> = {
  'packages.create': 'packages.batch_update',
  'custom_fields.create': 'custom_fields.batch_update',
}

/** States of an order, as /v1 shows them. The last three are ends; `failed` can be led out of. */
export type OrderState = 'received' | 'ordered' | 'in_progress' | 'reported' | 'completed' | 'canceled' | 'failed'

export type DeliveryState = 'pending' | 'sending' | 'delivered' | 'superseded' | 'dead'

/** Why a dead delivery is dead: who can mend it. */
export type DeadClass = 'customer' | 'vendor' | 'feishu' | 'ours' | 'unconfirmed'

export const laneOfOrder = (backgroundCheckId: string): string => `order:${backgroundCheckId}`
export const laneOfAccount = (accountId: string): string => `account:${accountId}`
export const laneOfAccountFields = (appId: string, tenantKey: string): string => `account_fields:${appId}:${tenantKey}`
