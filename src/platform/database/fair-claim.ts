/**
 * SQL that claims due rows in turns by tenant: each tenant's first due row before any tenant's second, so that one
 * tenant's backlog does not delay another's. The claim is a later `due_at`; a process that dies loses it by the clock.
 *
 * The table needs `tenant_key`, `due_at` (null: nothing to do) and an index over both, which the recursive part hops
 * through tenant by tenant. `fairClaimValues` gives the statement its values.
 */
export function fairClaimSql(options: { table: string; id: string; set: string; returning: string }): string {
  const { table, id, set, returning } = options
  return `
    WITH RECURSIVE tenants AS (
      (SELECT tenant_key FROM ${table} WHERE due_at IS NOT NULL ORDER BY tenant_key LIMIT 1)
      UNION ALL
      SELECT next.tenant_key FROM tenants CROSS JOIN LATERAL (
        SELECT tenant_key FROM ${table}
        WHERE due_at IS NOT NULL AND tenant_key > tenants.tenant_key ORDER BY tenant_key LIMIT 1
      ) next
    ), due AS (
      SELECT row.id, row.due_at, tenants.tenant_key, coalesce(($3::jsonb ->> tenants.tenant_key)::int, 0)
        + row_number() OVER (PARTITION BY tenants.tenant_key ORDER BY row.due_at) AS turn
      FROM tenants CROSS JOIN LATERAL (
        SELECT ${id} AS id, due_at FROM ${table}
        WHERE tenant_key = tenants.tenant_key AND due_at <= now() ORDER BY due_at LIMIT $1
      ) row
    ), picked AS (
      SELECT id FROM due
      WHERE turn <= CASE WHEN (SELECT count(DISTINCT tenant_key) FROM due) > 1 THEN $4::int ELSE $5::int END
      ORDER BY turn, due_at LIMIT $1
    ), locked AS (
      SELECT ${id} AS id FROM ${table}
      WHERE ${id} IN (SELECT id FROM picked) AND due_at <= now() FOR UPDATE SKIP LOCKED
    )
    UPDATE ${table} AS claimed SET due_at = now() + $2 * interval '1 ms', ${set}
    FROM locked WHERE claimed.${id} = locked.id
    RETURNING ${returning}`
}

export interface FairClaim {
  /** Rows. */
  most: number
  leaseMs: number
  /** The tenant of each call in flight. */
  inFlight?: Iterable<string>
  /** Rows and calls in flight of one tenant: while others wait, and alone. */
  among: number
  alone: number
}

/** Values of a statement of `fairClaimSql`. */
export function fairClaimValues({ most, leaseMs, inFlight = [], among, alone }: FairClaim): Array<number | string> {
  const calls = new Map<string, number>()
  for (const tenant of inFlight) calls.set(tenant, (calls.get(tenant) ?? 0) + 1)
  return [most, leaseMs, JSON.stringify(Object.fromEntries(calls)), among, alone]
}

/** Of calls that hold up others while they last: a quarter while others wait, and alone all but a quarter. */
export function sharesOf(concurrency: number): Pick<FairClaim, 'among' | 'alone'> {
  const quarter = Math.ceil(concurrency / 4)
  return { among: quarter, alone: Math.max(1, concurrency - quarter) }
}
