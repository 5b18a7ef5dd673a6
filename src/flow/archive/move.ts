import type { Sql } from '../../platform/database/database.js'
import { ensureMonth, firstDayOf } from '../../platform/database/months.js'
import { archivedHash } from '../archived.js'
import { laneOfOrder } from '../map.js'
import { documentSql } from './document.js'
import { archiveTable, thisMonth } from './table.js'

/** What became of some orders that seemed to be over. */
export interface Moved {
  moved: number
  /** Something about them is still to be done. */
  waiting: number
  /** Somebody works on them right now, or another run took them. */
  busy: number
}

/**
 * Moves orders into the archive: what of them is in the tables of what lives becomes one document each, in the transaction
 * of the caller. Orders that something waits for stay, and so do those that somebody holds: it never waits for a lock.
 *
 * Locks go kept events, lane, order, task, as everywhere. Whoever holds the lane or the order of a check is alone with it,
 * and finds it in `archived_checks` afterwards (src/flow/archived.ts).
 */
export async function moveOrders(sql: Sql, ids: readonly string[], before: Date): Promise<Moved> {
  const month = await thisMonth(sql)
  await ensureMonth(sql, archiveTable, month)
  const events = await lockEvents(sql, ids)
  const held = await lockOrders(sql, await lockFreeLanes(sql, ids), before)
  const ready = await withoutWaiting(sql, held, events)
  if (ready.length > 0) await move(sql, ready, events, month)
  return { moved: ready.length, waiting: held.length - ready.length, busy: ids.length - held.length }
}

/** How many of them nothing waits for, without a lock. */
export async function countReady(sql: Sql, ids: readonly string[]): Promise<number> {
  const events = await sql.query<{ id: string }>('SELECT id FROM events WHERE background_check_id = ANY($1)', [ids])
  const ready = await withoutWaiting(
    sql,
    ids,
    events.rows.map((row) => row.id),
  )
  return ready.length
}

async function lockEvents(sql: Sql, ids: readonly string[]): Promise<string[]> {
  const locked = await sql.query<{ id: string }>(
    'SELECT id FROM events WHERE background_check_id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED',
    [ids],
  )
  return locked.rows.map((row) => row.id)
}

/**
 * Answers the checks whose lanes nobody holds. Every order has one once it was erased; for another one it is made, and
 * none for an order that another run has moved.
 */
async function lockFreeLanes(sql: Sql, ids: readonly string[]): Promise<string[]> {
  const prefix = laneOfOrder('')
  await sql.query(
    `INSERT INTO lanes (lane) SELECT $2 || o.background_check_id FROM orders o
     WHERE o.background_check_id = ANY($1) AND NOT EXISTS (SELECT 1 FROM lanes WHERE lane = $2 || o.background_check_id)
     ORDER BY 1 ON CONFLICT DO NOTHING`,
    [ids, prefix],
  )
  const locked = await sql.query<{ lane: string }>(
    'SELECT lane FROM lanes WHERE lane = ANY($1) ORDER BY lane FOR UPDATE SKIP LOCKED',
    [ids.map(laneOfOrder)],
  )
  return locked.rows.map((row) => row.lane.slice(prefix.length))
}

async function lockOrders(sql: Sql, ids: readonly string[], before: Date): Promise<string[]> {
  const locked = await sql.query<{ id: string }>(
    `SELECT background_check_id AS id FROM orders
     WHERE background_check_id = ANY($1) AND erased_at IS NOT NULL AND updated_at < $2 AND state IN ('completed', 'canceled')
     ORDER BY 1 FOR UPDATE SKIP LOCKED`,
    [ids, before],
  )
  return locked.rows.map((row) => row.id)
}

/**
 * What is sealed has no place in the archive, and what is owed to Feishu, the vendor or a person goes first. A dead
 * delivery is none of it: nothing is left of it to send. Subjects of tasks name the check in different ways.
 */
async function withoutWaiting(sql: Sql, ids: readonly string[], events: readonly string[]): Promise<string[]> {
  const found = await sql.query<{ id: string }>(
    `SELECT background_check_id AS id FROM orders o
     WHERE o.background_check_id = ANY($1) AND o.data_key IS NULL AND o.payload_sealed IS NULL AND o.failure IS NULL
       AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.background_check_id = o.background_check_id
             AND (d.state IN ('pending', 'sending') OR d.body_sealed IS NOT NULL))
       AND NOT EXISTS (SELECT 1 FROM poll_schedule p WHERE p.background_check_id = o.background_check_id)
       AND NOT EXISTS (SELECT 1 FROM order_contacts c WHERE c.background_check_id = o.background_check_id)
       AND NOT EXISTS (SELECT 1 FROM findings f WHERE f.background_check_id = o.background_check_id AND f.settled_at IS NULL)
       AND NOT EXISTS (SELECT 1 FROM events e WHERE e.background_check_id = o.background_check_id
             AND (e.state = 'new' OR e.payload_sealed IS NOT NULL OR NOT e.id = ANY($2)))
       AND o.background_check_id NOT IN (SELECT substring(subject FROM '^(?:order|resend):([0-9]+)') FROM vendor_tasks
             WHERE subject ~ '^(?:order|resend):[0-9]')`,
    [ids, events],
  )
  return found.rows.map((row) => row.id)
}

/**
 * The caller holds lanes and orders. A check that is in the archive already, since a month was imported while its event
 * came, is there from now on as it ended here: it must not stop every run.
 */
async function move(sql: Sql, ids: readonly string[], events: readonly string[], month: string): Promise<void> {
  await sql.query(
    `INSERT INTO ${archiveTable} (background_check_id, month, archived_at, ended_at, app_id, tenant_key, account_id,
       vendor_order_id, document)
     SELECT background_check_id, $2::date, now(), updated_at, app_id, tenant_key, account_id, vendor_order_id, ${documentSql}
     FROM orders o WHERE background_check_id = ANY($1)
     ON CONFLICT (background_check_id, month) DO UPDATE SET archived_at = excluded.archived_at, ended_at = excluded.ended_at,
       app_id = excluded.app_id, tenant_key = excluded.tenant_key, account_id = excluded.account_id,
       vendor_order_id = excluded.vendor_order_id, document = excluded.document`,
    [ids, firstDayOf(month)],
  )
  await sql.query(
    `INSERT INTO archived_checks (hash, month) SELECT ${archivedHash('w.id')}, $2::date FROM unnest($1::text[]) AS w (id)
     ORDER BY 1 ON CONFLICT (hash) DO UPDATE SET month = excluded.month`,
    [ids, firstDayOf(month)],
  )
  for (const table of ['timeline', 'deliveries', 'findings'] as const) {
    await sql.query(`DELETE FROM ${table} WHERE background_check_id = ANY($1)`, [ids])
  }
  await sql.query('DELETE FROM events WHERE id = ANY($1) AND background_check_id = ANY($2)', [events, ids])
  await sql.query('DELETE FROM lanes WHERE lane = ANY($1)', [ids.map(laneOfOrder)])
  await sql.query('DELETE FROM orders WHERE background_check_id = ANY($1)', [ids])
}
