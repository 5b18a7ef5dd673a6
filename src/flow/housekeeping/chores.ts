import type { Database, Sql } from '../../platform/database/database.js'
import { openStates } from '../orders/record.js'
import { eraseUnchanged } from '../personal-data/erase.js'

/** How long what is kept, in ms. */
export interface KeepTerms {
  /** Personal data of an order that ended, or did not change. */
  personalDataMs: number
  /** An open order that did not change for so long is flagged. */
  staleMs: number
  /** Payloads of events that failed or were ignored. */
  payloadsMs: number
  vendorNudgesMs: number
  idempotencyKeysMs: number
  callMinutesMs: number
  releasedHoldsMs: number
  auditMs: number
}

export interface ChoreParts {
  database: Database
  terms: KeepTerms
  /** Most rows of one batch: one transaction each, or one for all of them. */
  batch: number
}

/** One batch of rows. Answers how many were due and how many were done: the chore goes on while batches are full. */
export type Chore = (parts: ChoreParts) => Promise<Batch>

export interface Batch {
  due: number
  done: number
}

/**
 * All of them pass over what another process holds: several processes at once share the rows. A row that nobody could take
 * this time is taken an hour later.
 */
export const chores = {
  personal_data_erased: erasePersonalData,
  orders_flagged_stale: flagStale,
  orders_no_longer_stale: unflagStale,
  event_payloads_cleared: clearPayloads,
  vendor_nudges: deleteOlder('vendor_nudges', 'at', ({ vendorNudgesMs }) => vendorNudgesMs),
  // The first request with a key may still be running.
  idempotency_keys: deleteOlder(
    'idempotency_keys',
    'created_at',
    ({ idempotencyKeysMs }) => idempotencyKeysMs,
    'runs_until < now()',
  ),
  call_minutes: deleteOlder('call_minutes', 'minute', ({ callMinutesMs }) => callMinutesMs),
  released_holds: deleteOlder('holds', 'released_at', ({ releasedHoldsMs }) => releasedHoldsMs),
  audit_entries: deleteOlder('audit', 'at', ({ auditMs }) => auditMs),
} as const satisfies Record<string, Chore>

export type ChoreName = keyof typeof chores

/** Each order in a transaction of its own, by its own locks. */
async function erasePersonalData({ database, terms, batch }: ChoreParts): Promise<Batch> {
  const found = await database.pool.query<{ background_check_id: string; before: Date }>(
    `SELECT background_check_id, now() - $1 * interval '1 ms' AS before FROM orders
     WHERE erased_at IS NULL AND updated_at < now() - $1 * interval '1 ms' ORDER BY updated_at LIMIT $2`,
    [terms.personalDataMs, batch],
  )
  let done = 0
  for (const { background_check_id: id, before } of found.rows) {
    if (await database.transaction((sql) => eraseUnchanged(sql, id, before))) done += 1
  }
  // What nobody could take comes first again: without any progress there is none to be waited for.
  return { due: done === 0 ? 0 : found.rows.length, done }
}

/**
 * A flag is no change of the order: it must not keep its data longer. By age alone PostgreSQL might walk through all that
 * is not erased, where those that ended long ago come first: the order is that of the index of open ones.
 */
async function flagStale({ database, terms, batch }: ChoreParts): Promise<Batch> {
  const flagged = await database.pool.query(
    `UPDATE orders o SET attention = array_append(o.attention, 'stale') FROM (
       SELECT background_check_id FROM orders
       WHERE erased_at IS NULL AND updated_at < now() - $1 * interval '1 ms' AND state = ANY($2)
         AND state <> 'completed' AND state <> 'canceled' AND NOT attention @> ARRAY['stale']
       ORDER BY state, updated_at LIMIT $3 FOR UPDATE SKIP LOCKED) due
     WHERE o.background_check_id = due.background_check_id`,
    [terms.staleMs, openStates, batch],
  )
  return all(flagged.rowCount)
}

/**
 * Most changes take the flag away themselves; for others, and for what has ended, it goes here. The index of flagged orders
 * is found by its own condition.
 */
async function unflagStale({ database, terms, batch }: ChoreParts): Promise<Batch> {
  const unflagged = await database.pool.query(
    `UPDATE orders o SET attention = array_remove(o.attention, 'stale') FROM (
       SELECT background_check_id FROM orders
       WHERE attention <> '{}' AND attention @> ARRAY['stale'] AND (updated_at >= now() - $1 * interval '1 ms' OR NOT state = ANY($2))
       LIMIT $3 FOR UPDATE SKIP LOCKED) due
     WHERE o.background_check_id = due.background_check_id`,
    [terms.staleMs, openStates, batch],
  )
  return all(unflagged.rowCount)
}

/** The rows stay: which events came, and what became of them. */
async function clearPayloads({ database, terms, batch }: ChoreParts): Promise<Batch> {
  const cleared = await database.pool.query(
    `UPDATE events e SET payload_sealed = NULL FROM (
       SELECT id FROM events WHERE payload_sealed IS NOT NULL AND settled_at < now() - $1 * interval '1 ms'
       ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED) due
     WHERE e.id = due.id`,
    [terms.payloadsMs, batch],
  )
  return all(cleared.rowCount)
}

type Table = 'vendor_nudges' | 'idempotency_keys' | 'call_minutes' | 'holds' | 'audit'

function deleteOlder(table: Table, column: string, termOf: (terms: KeepTerms) => number, also = 'true'): Chore {
  const text = `DELETE FROM ${table} WHERE ctid IN (
    SELECT ctid FROM ${table} WHERE ${column} < now() - $1 * interval '1 ms' AND ${also} LIMIT $2 FOR UPDATE SKIP LOCKED)`
  return async ({ database, terms, batch }) => {
    const sql: Sql = database.pool
    return all((await sql.query(text, [termOf(terms), batch])).rowCount)
  }
}

function all(rows: number | null): Batch {
  return { due: rows ?? 0, done: rows ?? 0 }
}
