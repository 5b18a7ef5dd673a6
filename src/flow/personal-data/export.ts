import { openDataKey, openJson } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { isArchived } from '../archived.js'
import { addToAudit } from '../audit.js'
import { eventContext } from '../inbox/accept.js'
import { laneOfOrder, type OrderBody } from '../map.js'
import { reasonContext } from '../orders/cancel.js'
import { payloadContext, taskOfOrder } from '../orders/receive.js'
import { openBody } from '../outbox/bodies.js'
import type { OrderToPlace } from '../vendor/adapter.js'
import type { Who } from './erase.js'

/** Everything personal that is held about one check. */
export interface PersonalData {
  backgroundCheckId: string
  /** What the order was placed with; `null` where the event with it never came. */
  order: OrderToPlace | null
  /** What a cancel that is still owed to the vendor says. */
  cancelReason: string | null
  /** Why the order failed: an adapter may quote what it was given. */
  failure: string | null
  /** What was sent to Feishu, waits to be sent, or could not be, in the order of the lane. */
  deliveries: Array<{ id: string; api: OrderBody['api']; state: string; request: OrderBody['body'] }>
  /** Events that failed or were ignored, and were kept for that. `payload`: what Feishu sent. */
  events: Array<{ id: string; type: string; state: string; receivedAt: Date; payload: unknown }>
}

export type Exported = { kind: 'exported'; data: PersonalData } | { kind: 'unknown' | 'erased' }

interface OrderRow {
  payload_sealed: Buffer | null
  data_key: Buffer | null
  erased_at: Date | null
  failure: { message?: unknown } | null
  reason_sealed: Buffer | null
}

/**
 * Reads it, with the entry in the audit that says who did. The order is locked against an erasure meanwhile. Throws a
 * SealError where a key is missing: an export that leaves something out would be a wrong one.
 */
export async function exportOrder(sql: Sql, sealer: Sealer, backgroundCheckId: string, who: Who): Promise<Exported> {
  const found = await sql.query<OrderRow>(
    `SELECT o.payload_sealed, o.data_key, o.erased_at, o.failure, t.reason_sealed
     FROM orders o LEFT JOIN vendor_tasks t ON t.subject = $2 WHERE o.background_check_id = $1 FOR SHARE OF o`,
    [backgroundCheckId, taskOfOrder(backgroundCheckId)],
  )
  const row = found.rows[0]
  if (row === undefined) return { kind: (await isArchived(sql, backgroundCheckId)) ? 'erased' : 'unknown' }
  if (row.erased_at !== null || row.data_key === null) return { kind: 'erased' }
  const data = await readAll(sql, sealer, backgroundCheckId, { ...row, data_key: row.data_key })
  const after = { deliveries: data.deliveries.length, events: data.events.length }
  const entry = { action: 'orders.export', subject: `order:${backgroundCheckId}`, outcome: 'done', after } as const
  await addToAudit(sql, [{ ...who, ...entry }])
  return { kind: 'exported', data }
}

async function readAll(
  sql: Sql,
  sealer: Sealer,
  id: string,
  row: OrderRow & { data_key: Buffer },
): Promise<PersonalData> {
  const key = openDataKey(sealer, id, row.data_key)
  const message = row.failure?.message
  return {
    backgroundCheckId: id,
    // Only receiveOrder writes this column.
    order: row.payload_sealed && (openJson(key, row.payload_sealed, payloadContext(id)) as OrderToPlace),
    cancelReason: row.reason_sealed && key.open(row.reason_sealed, reasonContext(id)).toString('utf8'),
    failure: typeof message === 'string' ? message : null,
    deliveries: await readDeliveries(sql, key, id),
    events: await readEvents(sql, sealer, id),
  }
}

async function readDeliveries(sql: Sql, key: Sealer, id: string): Promise<PersonalData['deliveries']> {
  const lane = laneOfOrder(id)
  const found = await sql.query<{ id: string; api: string; state: string; body_sealed: Buffer }>(
    `SELECT id, api, state, body_sealed FROM deliveries
     WHERE background_check_id = $1 AND body_sealed IS NOT NULL ORDER BY seq, id`,
    [id],
  )
  return found.rows.map((row) => {
    const { api, body } = openBody(key, lane, row.api, row.body_sealed)
    return { id: row.id, api, state: row.state, request: body }
  })
}

async function readEvents(sql: Sql, sealer: Sealer, id: string): Promise<PersonalData['events']> {
  const found = await sql.query<{
    id: string
    app_id: string
    event_id: string
    type: string
    state: string
    received_at: Date
    payload_sealed: Buffer
  }>(
    `SELECT id, app_id, event_id, type, state, received_at, payload_sealed FROM events
     WHERE background_check_id = $1 AND payload_sealed IS NOT NULL ORDER BY id`,
    [id],
  )
  return found.rows.map(({ app_id, event_id, received_at: receivedAt, payload_sealed, ...row }) => ({
    id: row.id,
    type: row.type,
    state: row.state,
    receivedAt,
    payload: openJson(sealer, payload_sealed, eventContext(app_id, event_id)),
  }))
}
