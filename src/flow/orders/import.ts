import { createDataKey } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { isArchived } from '../archived.js'
import { laneOfOrder, type OrderBody, type OrderState, type Origin } from '../map.js'
import { lockLane } from '../outbox/lanes.js'
import { putImported } from '../outbox/put-imported.js'
import { addToTimeline } from '../timeline.js'
import { isTakenByAnother, lockVendorOrder } from './place.js'
import { belongsTo, type LockedOrder, lockOrder, taskOfOrder } from './receive.js'
import { stageIdOf } from './stages.js'
import { keepUnboundAccount } from './unbound.js'

/** An order that the vendor has, and of which an older system has sent something to Feishu. Times are milliseconds. */
export interface OrderToImport {
  backgroundCheckId: string
  vendorOrderId: string
  accountId?: string
  packageId?: string
  createdAt?: number
  /** What Feishu has, in the order in which it was sent; `id` is the vendor's own. */
  stages: ReadonlyArray<{ id: string; name: string; time: number }>
  /** Feishu has the result, and the order is over. */
  result?: { result: string; time: number }
  /** Somebody stopped the check, and both sides know. */
  canceled: boolean
}

export type Imported =
  | { kind: 'imported' }
  | { kind: 'exists' }
  /** It does not fit what is here already. */
  | { kind: 'refused'; issues: Array<{ path: string; message: string }> }

/** What importing the order would do, without doing it. */
export async function checkImport(sql: Sql, origin: Origin, order: OrderToImport): Promise<Imported> {
  const found = await sql.query<LockedOrder>('SELECT * FROM orders WHERE background_check_id = $1', [
    order.backgroundCheckId,
  ])
  const known = found.rows[0]
  if (known !== undefined && !belongsTo(known, origin)) return foreign
  if (known !== undefined && !(await isUntoldCancel(sql, known, order))) return { kind: 'exists' }
  if (known === undefined && (await isArchived(sql, order.backgroundCheckId))) return { kind: 'exists' }
  if (await isTakenByAnother(sql, order.backgroundCheckId, order.vendorOrderId)) return taken
  return { kind: 'imported' }
}

/**
 * Takes over an order from an older system, in one transaction: what Feishu has of it lies in its lane as delivered, and
 * an open one is polled from now on, so that only what Feishu does not have is sent. An order that is known stays as it
 * is, but for one that the customer stopped before it came here: then the vendor, who has it, is told.
 *
 * Locks go lane, order, vendor's number, as in a placing.
 */
export async function importOrder(sql: Sql, sealer: Sealer, origin: Origin, order: OrderToImport): Promise<Imported> {
  const expected = await checkImport(sql, origin, order)
  if (expected.kind !== 'imported') return expected
  const { backgroundCheckId: id, vendorOrderId } = order
  const state = await lockLane(sql, laneOfOrder(id))
  const known = await lockOrder(sql, id)
  await lockVendorOrder(sql, vendorOrderId)
  // Whoever was faster since the look above has the locks no longer: now it holds.
  const now = await checkImport(sql, origin, order)
  if (now.kind !== 'imported') return now
  if (known !== null) return tellOfCancel(sql, known, order)
  const key = createDataKey(sealer, id)
  if (!(await insertOrder(sql, origin, order, key.wrapped))) return { kind: 'exists' }
  await putImported(sql, { backgroundCheckId: id, ...origin, key, state }, sentBodies(order))
  if (stateOf(order) === 'ordered' || stateOf(order) === 'in_progress') await startPolling(sql, origin, order)
  await keepUnboundAccount(sql, origin, order.accountId ?? '')
  await addToTimeline(sql, [{ backgroundCheckId: id, kind: 'imported', detail: detailOf(order) }])
  return { kind: 'imported' }
}

const foreign = refused('background_check_id', 'belongs to an order of another app or tenant')
const taken = refused('vendor_order_id', 'is the number of another check')

function refused(path: string, message: string): Imported {
  return { kind: 'refused', issues: [{ path, message }] }
}

/** A check that was stopped before anybody here knew its number: nobody has told the vendor, who goes on with it. */
async function isUntoldCancel(sql: Sql, known: LockedOrder, order: OrderToImport): Promise<boolean> {
  // What was erased stays as it is, and takes part in nothing.
  if (known.data_key === null) return false
  if (known.state !== 'canceled' || known.vendor_order_id !== null) return false
  if (order.canceled || order.result !== undefined) return false
  const asked = await sql.query('SELECT 1 FROM vendor_tasks WHERE subject = $1', [taskOfOrder(order.backgroundCheckId)])
  return asked.rowCount === 0
}

async function tellOfCancel(sql: Sql, known: LockedOrder, order: OrderToImport): Promise<Imported> {
  const { backgroundCheckId, vendorOrderId } = order
  await sql.query(
    `UPDATE orders SET vendor_order_id = $2, account_id = coalesce(account_id, $3), package_id = coalesce(package_id, $4),
       updated_at = now() WHERE background_check_id = $1`,
    [backgroundCheckId, vendorOrderId, order.accountId ?? null, order.packageId ?? null],
  )
  // A claim of an earlier task may still be under way: the fences of the two must not meet.
  await sql.query(
    `INSERT INTO vendor_tasks (subject, action, tenant_key, fence) VALUES ($1, 'cancel', $2, floor(random() * 1e9)::int)`,
    [taskOfOrder(backgroundCheckId), known.tenant_key],
  )
  await addToTimeline(sql, [{ backgroundCheckId, kind: 'imported', detail: detailOf(order) }])
  return { kind: 'imported' }
}

function stateOf({ canceled, result, stages }: OrderToImport): OrderState {
  if (canceled) return 'canceled'
  if (result !== undefined) return 'completed'
  return stages.length > 0 ? 'in_progress' : 'ordered'
}

/** False: the order came by its event at this very moment. */
async function insertOrder(sql: Sql, origin: Origin, order: OrderToImport, dataKey: Buffer): Promise<boolean> {
  const times = [...order.stages.map((stage) => stage.time), ...(order.result ? [order.result.time] : [])]
  const createdAt = order.createdAt ?? (times.length > 0 ? Math.min(...times) : undefined)
  const ended = order.canceled || order.result !== undefined
  // What ended long ago is not kept longer because it was brought along.
  const endedAt = ended ? Math.max(...times, createdAt ?? 0) : 0
  const inserted = await sql.query(
    `INSERT INTO orders (background_check_id, app_id, tenant_key, account_id, package_id, vendor_order_id, state, data_key, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, least(coalesce($9, now()), now()), least(coalesce($10, now()), now()))
     ON CONFLICT DO NOTHING`,
    [
      order.backgroundCheckId,
      origin.appId,
      origin.tenantKey,
      order.accountId ?? null,
      order.packageId ?? null,
      order.vendorOrderId,
      stateOf(order),
      dataKey,
      createdAt === undefined ? null : new Date(createdAt),
      endedAt > 0 ? new Date(endedAt) : null,
    ],
  )
  return inserted.rowCount === 1
}

/** As much as is known of what the older system sent. */
function sentBodies({ backgroundCheckId, stages, result }: OrderToImport): OrderBody[] {
  const progress = stages.map(({ id, name, time }): OrderBody => {
    const stage = { stage_id: stageIdOf(id), stage_name: name, stage_time: String(time) }
    return { api: 'update_progress', body: { background_check_id: backgroundCheckId, ...stage } }
  })
  if (result === undefined) return progress
  const body = { background_check_id: backgroundCheckId, result: result.result, result_time: String(result.time) }
  return [...progress, { api: 'update_result', body }]
}

async function startPolling(sql: Sql, { tenantKey }: Origin, order: OrderToImport): Promise<void> {
  await sql.query('DELETE FROM vendor_nudges WHERE vendor_order_id = $1', [order.vendorOrderId])
  await sql.query('INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms) VALUES ($1, $2, 0)', [
    order.backgroundCheckId,
    tenantKey,
  ])
}

function detailOf({ vendorOrderId, stages, result }: OrderToImport) {
  return { vendor_order_id: vendorOrderId, stages: stages.length, result: result !== undefined }
}
