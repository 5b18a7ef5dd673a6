import { openDataKey } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { laneOfOrder, type OrderState } from '../map.js'
import { openBody } from '../outbox/bodies.js'
import { unsureFor } from '../outbox/unsure.js'
import type { OurDelivery, OurOrder } from './compare.js'

export interface KnownOrder extends OurOrder {
  appId: string
  tenantKey: string
  /** Of its lane (src/flow/outbox/unsure.ts). */
  unsure: boolean
}

interface OrderRow {
  background_check_id: string
  app_id: string
  tenant_key: string
  state: OrderState
  data_key: Buffer | null
  rested: boolean
  unsure: boolean
  catching_up: boolean
}

interface DeliveryRow {
  id: string
  background_check_id: string
  api: string
  is: OurDelivery['is']
  rested: boolean
  body_sealed: Buffer
}

/**
 * The orders that we know of these ids, whoever's they are, with what Feishu had attempts of. What changed after
 * `quietSince` has not rested: an answer of Feishu from about then says nothing about it. `onClosed` is told of orders that
 * no key opens.
 */
export async function readKnownOrders(
  sql: Sql,
  sealer: Sealer,
  ids: readonly string[],
  quietSince: Date,
  onClosed: (backgroundCheckId: string, failure: unknown) => void,
): Promise<Map<string, KnownOrder>> {
  const found = await sql.query<OrderRow>(
    `SELECT background_check_id, app_id, tenant_key, state, data_key, updated_at <= $2 AS rested,
       coalesce(l.unsure, false) AS unsure, coalesce(l.unsure, false) AND EXISTS (
         SELECT 1 FROM restores WHERE restored_at > now() - ${unsureFor}) AS catching_up
     FROM orders LEFT JOIN lanes l ON l.lane = $3 || background_check_id WHERE background_check_id = ANY($1)`,
    [ids, quietSince, laneOfOrder('')],
  )
  const deliveries = await readDeliveries(
    sql,
    found.rows.map((row) => row.background_check_id),
    quietSince,
  )
  return new Map(found.rows.map((row) => [row.background_check_id, toKnown(sealer, row, deliveries, onClosed)]))
}

async function readDeliveries(sql: Sql, ids: readonly string[], quietSince: Date): Promise<DeliveryRow[]> {
  const found = await sql.query<DeliveryRow>(
    `SELECT id, background_check_id, api, body_sealed, coalesce(settled_at <= $2, false) AS rested,
       CASE WHEN state = 'delivered' AND confirmed THEN 'confirmed' WHEN state = 'delivered' THEN 'inferred'
         WHEN state = 'dead' AND dead_class = 'unconfirmed' THEN 'lost' WHEN state = 'dead' THEN 'dead' ELSE 'open' END AS is
     FROM deliveries
     WHERE lane = ANY($1) AND body_sealed IS NOT NULL AND state <> 'superseded'
       AND (state <> 'pending' OR last_call_at IS NOT NULL OR ambiguous)
     ORDER BY seq`,
    [ids.map(laneOfOrder), quietSince],
  )
  return found.rows
}

function toKnown(
  sealer: Sealer,
  row: OrderRow,
  deliveries: readonly DeliveryRow[],
  onClosed: (backgroundCheckId: string, failure: unknown) => void,
): KnownOrder {
  const {
    background_check_id: id,
    app_id: appId,
    tenant_key: tenantKey,
    state,
    rested,
    unsure,
    data_key: wrapped,
  } = row
  const common = { appId, tenantKey, state, rested, unsure, catchingUp: row.catching_up }
  // What was erased cannot be compared by its stages any more.
  if (wrapped === null) return { ...common, deliveries: [], opaque: 'erased' }
  try {
    return { ...common, deliveries: openAll(openDataKey(sealer, id, wrapped), id, deliveries) }
  } catch (failure) {
    // One order that no key opens must not stop the comparison of the others.
    onClosed(id, failure)
    return { ...common, deliveries: [], opaque: 'closed' }
  }
}

function openAll(key: Sealer, id: string, deliveries: readonly DeliveryRow[]): OurDelivery[] {
  return deliveries
    .filter((each) => each.background_check_id === id)
    .map((each) => ({
      id: each.id,
      is: each.is,
      rested: each.rested,
      content: openBody(key, laneOfOrder(id), each.api, each.body_sealed),
    }))
}
