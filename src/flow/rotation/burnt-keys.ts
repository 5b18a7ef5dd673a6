import { createDataKey, type DataKey, openDataKey } from '../../platform/crypto/data-key.js'
import { headSql, plainHead } from '../../platform/crypto/key-of.js'
import type { Database, Sql } from '../../platform/database/database.js'
import { laneOfOrder } from '../map.js'
import { reasonContext } from '../orders/cancel.js'
import { lockOrder, payloadContext, taskOfOrder } from '../orders/receive.js'
import { bodyContext } from '../outbox/bodies.js'
import { lockLane } from '../outbox/lanes.js'
import { pagesOf } from './pages.js'
import type { Passed, RotationKeys, Walk } from './reseal.js'

/** Orders at a time: each is a transaction of its own. */
const atOnce = 2

/** Longer than a transaction of one order takes. */
const afterCommitMs = 5000

/**
 * Data keys that once lay plain in their row are burnt: who read the table, a backup of it or its write-ahead log has them.
 * Each such order gets a new one, and everything of it is sealed with that.
 */
export async function replaceBurntKeys(database: Database, keys: RotationKeys, walk: Walk): Promise<Passed> {
  const passed: Passed = { rotated: 0, missed: 0, closed: 0 }
  const paged = {
    table: 'orders',
    key: [{ name: 'background_check_id', type: 'text' }],
    wanted: `${headSql('data_key')} = $1`,
    wants: [plainHead],
    bytes: '0',
  }
  for await (const part of pagesOf(database.pool, paged, atOnce)) {
    const replaced = await Promise.all(
      part.map(({ background_check_id: id = '' }) =>
        database.transaction((sql) => replaceKey(sql, keys, id)).catch(missedWhenBusy),
      ),
    )
    const rotated = replaced.filter(Boolean).length
    passed.rotated += rotated
    passed.missed += replaced.length - rotated
    walk.onRotated(rotated)
  }
  return passed
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html: lock_not_available, deadlock_detected.
function missedWhenBusy(failure: unknown): false {
  if (failure instanceof Error && 'code' in failure && /^(55P03|40P01)$/.test(String(failure.code))) return false
  throw failure
}

/** False when a call of the order is under way, which still needs its old key. Locks go lane, order, task, as everywhere. */
async function replaceKey(sql: Sql, { sealer }: RotationKeys, id: string): Promise<boolean> {
  await sql.query(`SET LOCAL lock_timeout = '1s'`)
  await lockLane(sql, laneOfOrder(id))
  const order = await lockOrder(sql, id)
  const wrapped = order?.data_key ?? null
  // Erased or replaced meanwhile.
  if (order === null || wrapped === null || wrapped[0] !== plainHead[0]) return true
  const task = await lockTask(sql, id)
  const deliveries = await lockDeliveries(sql, id)
  if (task?.claimed === true || deliveries.some(({ state }) => state === 'sending')) return false
  const [burnt, fresh] = [openDataKey(sealer, id, wrapped), createDataKey(sealer, id)]
  const anew = (sealed: Buffer | null, context: string) => sealed && reseal(burnt, fresh, sealed, context)
  await sql.query('UPDATE orders SET data_key = $2, payload_sealed = $3 WHERE background_check_id = $1', [
    id,
    fresh.wrapped,
    anew(order.payload_sealed, payloadContext(id)),
  ])
  await putDeliveries(
    sql,
    deliveries.map(({ id: delivery, lane, body_sealed }) => ({
      id: delivery,
      body: reseal(burnt, fresh, body_sealed, bodyContext(lane)),
    })),
  )
  await putReason(sql, id, anew(task?.reason_sealed ?? null, reasonContext(id)))
  return true
}

function reseal(from: DataKey, to: DataKey, sealed: Buffer, context: string): Buffer {
  return to.seal(from.open(sealed, context), context)
}

async function lockTask(sql: Sql, id: string) {
  const found = await sql.query<{ claimed: boolean; reason_sealed: Buffer | null }>(
    'SELECT claimed, reason_sealed FROM vendor_tasks WHERE subject = $1 FOR UPDATE',
    [taskOfOrder(id)],
  )
  return found.rows[0]
}

async function lockDeliveries(sql: Sql, id: string) {
  const found = await sql.query<{ id: string; lane: string; state: string; body_sealed: Buffer }>(
    `SELECT id, lane, state, body_sealed FROM deliveries
     WHERE background_check_id = $1 AND body_sealed IS NOT NULL ORDER BY seq FOR UPDATE`,
    [id],
  )
  return found.rows
}

/**
 * A claim that began before this commits would join the new body to the old key, since it locks the newest version of
 * a delivery and reads the order as it was: what is due is due a little later, which such a claim passes over.
 */
async function putDeliveries(sql: Sql, bodies: ReadonlyArray<{ id: string; body: Buffer }>): Promise<void> {
  await sql.query(
    `UPDATE deliveries d SET body_sealed = w.body,
       due_at = greatest(d.due_at, clock_timestamp() + CASE WHEN d.due_at IS NOT NULL THEN ${afterCommitMs} * interval '1 ms' END)
     FROM unnest($1::bigint[], $2::bytea[]) AS w (id, body) WHERE d.id = w.id`,
    [bodies.map(({ id }) => id), bodies.map(({ body }) => body)],
  )
}

async function putReason(sql: Sql, id: string, reason: Buffer | null): Promise<void> {
  if (reason === null) return
  await sql.query('UPDATE vendor_tasks SET reason_sealed = $2 WHERE subject = $1', [taskOfOrder(id), reason])
}
