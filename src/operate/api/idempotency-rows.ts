import type { Database, Sql } from '../../platform/database/database.js'

/** The rows of `idempotency_keys`: who runs first, and what became of it. */

/** The caller is the first, until `runsUntil`. */
export interface Mine {
  kind: 'mine'
  hash: Buffer
  runsUntil: string
}

export type Begun =
  | Mine
  | { kind: 'answered'; hash: Buffer; status: number; sealed: Buffer }
  | { kind: 'running' }
  /** The first took effect, and nobody knows what it was answered. */
  | { kind: 'lost' }
  /** The key came with another request. */
  | { kind: 'other' }

/** Longer than any write takes; a first request that was lost holds its key for so long. */
const runsForMs = 60_000

interface Row {
  hash: Buffer
  request: Buffer
  status: number | null
  answer_sealed: Buffer | null
  is_running: boolean
  is_over: boolean
}

const old = `created_at < now() - interval '24 hours'`

/** Takes a key, or says what became of the request that took it. Each hash comes under every encryption key. */
export function begin(database: Database, keys: readonly Buffer[], requests: readonly Buffer[]): Promise<Begun> {
  return database.transaction(async (sql) => {
    const taken = await take(sql, keys, requests)
    if (taken !== null) return taken
    const row = await lookAt(sql, keys)
    // It was given up, or was forgotten, between the two statements: whoever asks again is told the same or runs.
    if (row === undefined) return { kind: 'running' }
    if (row.is_over) return takeOver(sql, row, requests)
    if (!requests.some((request) => request.equals(row.request))) return { kind: 'other' }
    if (row.answer_sealed === null || row.status === null) return unanswered(sql, row, requests)
    return { kind: 'answered', hash: row.hash, status: row.status, sealed: row.answer_sealed }
  })
}

async function unanswered(sql: Sql, row: Row, requests: readonly Buffer[]): Promise<Begun> {
  if (row.is_running) return { kind: 'running' }
  return row.status === null ? takeOver(sql, row, requests) : { kind: 'lost' }
}

async function take(sql: Sql, keys: readonly Buffer[], requests: readonly Buffer[]): Promise<Mine | null> {
  const added = await sql.query<{ hash: Buffer; runs_until: string }>(
    `INSERT INTO idempotency_keys (hash, request, runs_until)
     SELECT $1, $2, now() + $3 * interval '1 millisecond'
     WHERE NOT EXISTS (SELECT 1 FROM idempotency_keys WHERE hash = ANY($4))
     ON CONFLICT (hash) DO NOTHING RETURNING hash, runs_until::text`,
    [keys[0], requests[0], runsForMs, keys],
  )
  return mineOf(added.rows[0])
}

async function lookAt(sql: Sql, keys: readonly Buffer[]): Promise<Row | undefined> {
  const found = await sql.query<Row>(
    `SELECT hash, request, status, answer_sealed, runs_until > now() AS is_running, ${old} AS is_over
     FROM idempotency_keys WHERE hash = ANY($1) LIMIT 1 FOR UPDATE`,
    [keys],
  )
  return found.rows[0]
}

/** After a day, or when the first was lost. The caller holds the row. */
async function takeOver(sql: Sql, { hash }: Row, requests: readonly Buffer[]): Promise<Begun> {
  const taken = await sql.query<{ hash: Buffer; runs_until: string }>(
    `UPDATE idempotency_keys SET request = $2, status = NULL, answer_sealed = NULL,
       created_at = CASE WHEN ${old} THEN now() ELSE created_at END, runs_until = now() + $3 * interval '1 millisecond'
     WHERE hash = $1 RETURNING hash, runs_until::text`,
    [hash, requests[0], runsForMs],
  )
  return mineOf(taken.rows[0]) ?? { kind: 'running' }
}

function mineOf(row: { hash: Buffer; runs_until: string } | undefined): Mine | null {
  return row === undefined ? null : { kind: 'mine', hash: row.hash, runsUntil: row.runs_until }
}

/** Keeps the answer, unless somebody took the key over meanwhile. */
export async function finish({ pool }: Database, { hash, runsUntil }: Mine, status: number, sealed: Buffer) {
  await pool.query(
    'UPDATE idempotency_keys SET status = $3, answer_sealed = $4 WHERE hash = $1 AND runs_until = $2::timestamptz',
    [hash, runsUntil, status, sealed],
  )
}

/** In the transaction of the effect: from then on it is not made again. False: somebody took the key over meanwhile. */
export async function noteEffect(sql: Sql, { hash, runsUntil }: Mine): Promise<boolean> {
  const noted = await sql.query(
    'UPDATE idempotency_keys SET status = 0 WHERE hash = $1 AND runs_until = $2::timestamptz AND answer_sealed IS NULL',
    [hash, runsUntil],
  )
  return noted.rowCount === 1
}

/** Frees a key whose request came to nothing. */
export async function giveUp({ pool }: Database, { hash, runsUntil }: Mine): Promise<void> {
  await pool.query('DELETE FROM idempotency_keys WHERE hash = $1 AND runs_until = $2::timestamptz AND status IS NULL', [
    hash,
    runsUntil,
  ])
}
