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
  | { api: 'update_progress'; body: ProgressBody }
  | { api: 'update_result'; body: ResultBody }
  | { api: 'cancel'; body: CancelBody }

/** States of an order, as /v1 shows them. The last three are ends; `failed` can be led out of. */
export type OrderState = 'received' | 'ordered' | 'in_progress' | 'reported' | 'completed' | 'canceled' | 'failed'

export type DeliveryState = 'pending' | 'sending' | 'delivered' | 'superseded' | 'dead'

/** Why a dead delivery is dead: who can mend it. */
export type DeadClass = 'customer' | 'vendor' | 'feishu' | 'ours' | 'unconfirmed'

export const laneOfOrder = (backgroundCheckId: string): string => `order:${backgroundCheckId}`
