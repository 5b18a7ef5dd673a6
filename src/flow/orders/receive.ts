import { createDataKey, openDataKey, sealJson } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { traceParentOf } from '../../platform/tracing/spans.js'
import { archivedHash } from '../archived.js'
import type { Origin } from '../map.js'
import { unsureFor } from '../outbox/unsure.js'
import { contactHashes, keepContacts } from '../personal-data/contacts.js'
import { addToTimeline } from '../timeline.js'
import type { OrderToPlace } from '../vendor/adapter.js'
import { keepUnboundAccount } from './unbound.js'

export type Effect = { kind: 'done' } | { kind: 'refused'; problem: string }

const done: Effect = { kind: 'done' }

export const payloadContext = (backgroundCheckId: string): string => `order:${backgroundCheckId}`
export const taskOfOrder = (backgroundCheckId: string): string => `order:${backgroundCheckId}`

/**
 * Keeps an order that a customer placed, once, and leaves a task to place it at the vendor. An order that was canceled
 * before it came, or was brought along from an older system, is filled in and otherwise stays as it is: it is not placed.
 * An event about a check that is in the archive does nothing.
 */
export async function receiveOrder(sql: Sql, sealer: Sealer, origin: Origin, order: OrderToPlace): Promise<Effect> {
  const id = order.backgroundCheckId
  const key = createDataKey(sealer, id)
  const inserted = await sql.query({
    name: 'receive-order',
    text: `INSERT INTO orders (background_check_id, app_id, tenant_key, account_id, package_id, state, payload_sealed, data_key, trace_parent)
     VALUES ($1, $2, $3, $4, $5, 'received', $6, $7, $8) ON CONFLICT DO NOTHING`,
    values: [
      id,
      origin.appId,
      origin.tenantKey,
      order.accountId,
      order.packageId,
      sealJson(key, order, payloadContext(id)),
      key.wrapped,
      traceParentOf(),
    ],
  })
  if (inserted.rowCount === 0) return fillIn(sql, sealer, origin, order)
  if (!(await wantPlacing(sql, id, origin.tenantKey))) {
    await sql.query('DELETE FROM orders WHERE background_check_id = $1', [id])
    return done
  }
  await keepContacts(sql, id, contactHashes(sealer, order))
  await addToTimeline(sql, [{ backgroundCheckId: id, kind: 'received' }])
  await keepUnboundAccount(sql, origin, order.accountId)
  return done
}

/**
 * An order that comes soon after a restore may be one that was placed before: the vendor is asked first, as after a placing
 * whose answer was lost when the database was restored.
 *
 * False: the check was archived. Only a statement behind the insert of the order sees that for sure: the insert may have
 * waited for whoever archives it right now, and sees no more than there was when it began.
 */
async function wantPlacing(sql: Sql, id: string, tenantKey: string): Promise<boolean> {
  const wanted = await sql.query({
    name: 'want-placing',
    text: `INSERT INTO vendor_tasks (subject, action, tenant_key, ambiguous_at)
     SELECT $1, 'place', $2, (SELECT max(restored_at) FROM restores WHERE restored_at > now() - ${unsureFor})
     WHERE NOT EXISTS (SELECT 1 FROM archived_checks WHERE hash = ${archivedHash('$3')})`,
    values: [taskOfOrder(id), tenantKey, id],
  })
  return wanted.rowCount === 1
}

async function fillIn(sql: Sql, sealer: Sealer, origin: Origin, order: OrderToPlace): Promise<Effect> {
  const id = order.backgroundCheckId
  const known = await lockOrder(sql, id)
  // It was archived since the insert found it.
  if (known === null) return done
  if (!belongsTo(known, origin)) return refusedAsForeign
  if (known.payload_sealed !== null || known.data_key === null) return done
  const key = openDataKey(sealer, id, known.data_key)
  await sql.query(
    `UPDATE orders SET account_id = coalesce(account_id, $2), package_id = coalesce(package_id, $3), payload_sealed = $4,
       updated_at = now() WHERE background_check_id = $1`,
    [id, order.accountId, order.packageId, sealJson(key, order, payloadContext(id))],
  )
  await keepContacts(sql, id, contactHashes(sealer, order))
  const before = known.state === 'canceled' ? { already_canceled: true } : { already_placed: true }
  await addToTimeline(sql, [{ backgroundCheckId: id, kind: 'received', detail: before }])
  await keepUnboundAccount(sql, origin, order.accountId)
  return done
}

export const refusedAsForeign: Effect = {
  kind: 'refused',
  problem: 'background_check_id: belongs to an order of another app or tenant',
}

export interface LockedOrder {
  app_id: string
  tenant_key: string
  state: string
  vendor_order_id: string | null
  payload_sealed: Buffer | null
  data_key: Buffer | null
}

export async function lockOrder(sql: Sql, backgroundCheckId: string): Promise<LockedOrder | null> {
  const found = await sql.query<LockedOrder>({
    name: 'lock-order',
    text: `SELECT app_id, tenant_key, state, vendor_order_id, payload_sealed, data_key
     FROM orders WHERE background_check_id = $1 FOR UPDATE`,
    values: [backgroundCheckId],
  })
  return found.rows[0] ?? null
}

export function belongsTo(order: LockedOrder, origin: Origin): boolean {
  return order.app_id === origin.appId && order.tenant_key === origin.tenantKey
}
