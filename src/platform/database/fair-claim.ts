import { randomUUID } from 'node:crypto'
import type { QueryResultRow } from 'pg'

/**
 * Claims due rows in turns by tenant: while more is due than one claim takes, each tenant's first due row comes before
 * any tenant's second, and each claim goes on after the tenant where the one before ended. So a tenant waits for one row
 * of each other tenant at most, or as many as go `together`, and a claim costs as much for ten thousand tenants as for ten
 * (decision 0014).
 *
 * The claim is a later `due_at`; a process that dies loses it by the clock. Claimers of the same table, here or in other
 * processes, never get the same row.
 */
export interface FairTable {
  /** Has `tenant_key`, `due_at` (null: nothing to do) and an index over both, which is hopped through by tenant. */
  table: string
  /** There is an index over `due_at`: what is due is found without a look at every tenant, unless it is too much. */
  byTime?: boolean
  /** What a claim sets beside `due_at`; the row is `claimed`. */
  set: string
  /** What is answered of each row `claimed`, and what else it is read from. */
  returning: string
  join?: string
}

export interface FairClaim {
  /** Rows, at least 1. */
  most: number
  leaseMs: number
  /** The tenant of each call in flight. */
  inFlight?: Iterable<string>
  /** Rows and calls in flight of one tenant: while others wait, and alone. */
  among: number
  alone: number
  /** Rows of one tenant that are taken in its turn, where it has them; fewer tenants are visited. At least 1, the default. */
  together?: number
}

export interface Claimed<Row> {
  rows: Row[]
  /** More is due than these: another claim finds it, unless it waits for its tenant's calls in flight. */
  isMore: boolean
}

/** A pool, a connection, or whoever else asks PostgreSQL. */
export interface Asker {
  query<Row extends QueryResultRow>(text: string, values: unknown[]): Promise<{ rows: Row[] }>
}

export type ClaimFairly<Row> = (sql: Asker, claim: FairClaim) => Promise<Claimed<Row>>

interface Turn {
  /** The tenant after whom the next claim goes on; null when there was no need for turns. */
  turns_end: string | null
  is_more: boolean
}

/** One claimer, which knows whose turn is next. They begin at different tenants, so as not to meet at the same rows. */
export function createFairClaim<Row>(table: FairTable): ClaimFairly<Row> {
  const text = claimSql(table)
  let after: string = randomUUID()
  let isCrowded = table.byTime !== true
  let isScattered = false
  return async (sql, { most, leaseMs, inFlight = [], among, alone, together = 1 }) => {
    const each = isScattered ? 1 : together
    const values = [most, leaseMs, JSON.stringify(countsOf(inFlight)), among, alone, after, isCrowded, each]
    const { rows } = await sql.query<Row & Turn>(text, values)
    const end = rows[0]?.turns_end ?? null
    after = end ?? after
    const isFull = end !== null && rows.length >= most
    // Tenants that have less than goes together leave room for others, which the next claims visit.
    const mayBeFuller = end !== null && !isFull && each > 1
    isScattered = mayBeFuller || (isScattered && isFull)
    if (table.byTime) isCrowded = isFull || mayBeFuller
    return { rows, isMore: rows[0]?.is_more ?? false }
  }
}

/** Most slow calls of one tenant at a time: a quarter while others wait, three quarters alone. */
export function sharesOf(concurrency: number): Pick<FairClaim, 'among' | 'alone'> {
  const quarter = Math.ceil(concurrency / 4)
  return { among: quarter, alone: Math.max(1, concurrency - quarter) }
}

function countsOf(names: Iterable<string>): Record<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return Object.fromEntries(counts)
}

/**
 * `oldest`  what is due, when that is not more than is wanted;
 * `walk`    else hops from tenant to tenant, once around at most, and ends when enough were found that something is due
 *           of and that have no calls in flight: each of them gets a row, or as many as go together. Each hop is bounded
 *           by the index on both sides: a filter would read all that lies behind the last tenant;
 * `due`     the first rows of each, of few tenants some more, and none that another claimer has locked: who claims at the
 *           same time gets the next ones. A row lies where it was locked (`ctid`) until the claim is committed, and is
 *           written without being looked for again;
 * `picked`  as many as are wanted, by turns, numbered behind their tenant's calls in flight.
 */
function claimSql({ table, byTime = false, set, returning, join = '' }: FairTable): string {
  const oldest = `
    oldest AS MATERIALIZED (
      SELECT ctid AS at, tenant_key, due_at FROM ${table}
      WHERE NOT $7::boolean AND due_at <= now() ORDER BY due_at LIMIT $1::int + 1 FOR UPDATE SKIP LOCKED
    ), crowd AS MATERIALIZED (SELECT $7::boolean OR count(*) > $1::int AS is_there FROM oldest),`
  const anyone = 'crowd AS MATERIALIZED (SELECT $7::boolean AS is_there),'
  return `
    WITH RECURSIVE ${byTime ? oldest : anyone} walk AS (
      SELECT $6::text AS tenant_key, 0 AS lap, false AS is_due, 0 AS fresh FROM crowd WHERE is_there
      UNION ALL
      SELECT next.tenant_key, next.lap, next.is_due, walk.fresh + (next.is_due AND NOT $3::jsonb ? next.tenant_key)::int
      FROM walk CROSS JOIN LATERAL (
        (SELECT tenant_key, 0 AS lap, due_at <= now() AS is_due FROM ${table}
         WHERE due_at IS NOT NULL AND walk.lap = 0 AND tenant_key > walk.tenant_key ORDER BY tenant_key, due_at LIMIT 1)
        UNION ALL
        (SELECT tenant_key, 1, due_at <= now() FROM ${table}
         WHERE due_at IS NOT NULL AND walk.lap = 0 AND tenant_key <= $6 ORDER BY tenant_key, due_at LIMIT 1)
        UNION ALL
        (SELECT tenant_key, 1, due_at <= now() FROM ${table}
         WHERE due_at IS NOT NULL AND walk.lap = 1 AND tenant_key > walk.tenant_key AND tenant_key <= $6
         ORDER BY tenant_key, due_at LIMIT 1)
        LIMIT 1
      ) next
      WHERE walk.fresh * $8::int < $1::int
    ), found AS MATERIALIZED (
      SELECT tenant_key, least($1::int, CASE WHEN count(*) OVER () * $8::int >= $1::int THEN $8::int
        ELSE greatest($8::int, $1::int * 3 / 2 / count(*) OVER ()) END) AS helping
      FROM walk WHERE is_due
    ), due AS MATERIALIZED (
      ${byTime ? 'SELECT at, tenant_key, due_at FROM oldest WHERE NOT (SELECT is_there FROM crowd) UNION ALL' : ''}
      SELECT row.at, found.tenant_key, row.due_at FROM found CROSS JOIN LATERAL (
        SELECT ctid AS at, due_at FROM ${table}
        WHERE tenant_key = found.tenant_key AND due_at <= now() ORDER BY due_at LIMIT helping FOR UPDATE SKIP LOCKED
      ) row
    ), numbered AS (
      SELECT at, due_at, coalesce(($3::jsonb ->> tenant_key)::int, 0)
        + row_number() OVER (PARTITION BY tenant_key ORDER BY due_at) AS turn FROM due
    ), picked AS (
      SELECT at FROM numbered
      WHERE turn <= CASE WHEN (SELECT count(DISTINCT tenant_key) FROM due) > 1 THEN $4::int ELSE $5::int END
      ORDER BY turn, due_at LIMIT $1::int
    ), claimed AS (
      UPDATE ${table} AS claimed SET due_at = now() + $2 * interval '1 ms', ${set}
      FROM picked WHERE claimed.ctid = picked.at AND claimed.due_at <= now()
      RETURNING claimed.*
    )
    SELECT ${returning}, (SELECT tenant_key FROM walk ORDER BY lap DESC, tenant_key DESC LIMIT 1) AS turns_end,
      (SELECT is_there FROM crowd) OR (SELECT count(*) FROM due) > (SELECT count(*) FROM picked) AS is_more
    FROM claimed ${join}`
}
