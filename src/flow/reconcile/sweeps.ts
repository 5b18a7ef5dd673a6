import type { Sql } from '../../platform/database/database.js'

/** The rows of `sweeps`: who is swept, when, by whom, and how far. */

/** Where a sweep goes on, and what it has counted. */
export interface Progress {
  step: 'list' | 'doubted'
  /** When the sweep began, in ms. */
  startedAt: number
  /** The window of the list, in ms. */
  from: number
  to: number
  /** Of the list's next page; empty for the first. */
  pageToken: string
  /** The last order that was asked for by its id. */
  after: string
  counts: Counts
}

/** `others`: of other providers, or nobody knows whose; only counted. */
export interface Counts {
  pages: number
  orders: number
  compared: number
  others: number
  found: number
  repaired: number
}

/** One process's turn at one tenant. */
export interface ClaimedSweep {
  appId: string
  tenantKey: string
  fence: number
  failures: number
  sweptUntil: Date | null
  progress: Progress | null
  providers: string[]
  /** PostgreSQL's clock at the claim. */
  now: Date
  /** Nothing is sent for the tenant until it was swept: the database was restored. */
  restored: boolean
}

interface SweepRow {
  app_id: string
  tenant_key: string
  fence: number
  failures: number
  swept_until: Date | null
  progress: Progress | null
  providers: string[]
  now: Date
  restored: boolean
}

/**
 * Makes a row for each app and tenant with accounts or orders, due at some moment of the next interval, so that many that
 * are new do not come at once. Hops through orders tenant by tenant.
 */
export async function enrol(sql: Sql, everyMs: number): Promise<void> {
  await sql.query(
    `WITH RECURSIVE tenants AS (
       (SELECT tenant_key FROM orders ORDER BY tenant_key LIMIT 1)
       UNION ALL
       SELECT next.tenant_key FROM tenants CROSS JOIN LATERAL (
         SELECT tenant_key FROM orders WHERE tenant_key > tenants.tenant_key ORDER BY tenant_key LIMIT 1
       ) next
     ), seen AS (
       SELECT app_id, tenant_key FROM accounts
       UNION SELECT newest.app_id, tenants.tenant_key FROM tenants CROSS JOIN LATERAL (
         SELECT app_id FROM orders WHERE tenant_key = tenants.tenant_key ORDER BY created_at DESC LIMIT 1
       ) newest
     )
     INSERT INTO sweeps (app_id, tenant_key, due_at)
     SELECT app_id, tenant_key, now() + random() * $1 * interval '1 ms' FROM seen
     WHERE NOT EXISTS (SELECT 1 FROM sweeps s WHERE s.app_id = seen.app_id AND s.tenant_key = seen.tenant_key)
     ON CONFLICT DO NOTHING`,
    [everyMs],
  )
}

/**
 * Takes the sweep that is due longest, of the apps that this process can call. What is parked waits: an app or a tenant
 * that Feishu refuses.
 */
export async function claimSweep(sql: Sql, apps: readonly string[], leaseMs: number): Promise<ClaimedSweep | null> {
  const claimed = await sql.query<SweepRow>(
    `UPDATE sweeps s SET fence = s.fence + 1, due_at = now() + $2 * interval '1 ms', lease_until = now() + $2 * interval '1 ms'
     FROM (
       SELECT app_id, tenant_key FROM sweeps w
       WHERE due_at <= now() AND (lease_until IS NULL OR lease_until <= now()) AND app_id = ANY($1)
         AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.released_at IS NULL AND h.app_id = w.app_id
                           AND h.tenant_key IN ('', w.tenant_key) AND h.api = '')
       ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
     ) due
     WHERE s.app_id = due.app_id AND s.tenant_key = due.tenant_key
     RETURNING s.app_id, s.tenant_key, s.fence, s.failures, s.swept_until, s.progress, s.providers, now() AS now,
       EXISTS (SELECT 1 FROM holds h WHERE h.released_at IS NULL AND h.scope = 'restore' AND h.app_id = s.app_id
                 AND h.tenant_key = s.tenant_key) AS restored`,
    [apps, leaseMs],
  )
  const row = claimed.rows[0]
  if (row === undefined) return null
  const {
    app_id: appId,
    tenant_key: tenantKey,
    fence,
    failures,
    swept_until: sweptUntil,
    progress,
    providers,
    now,
    restored,
  } = row
  return { appId, tenantKey, fence, failures, sweptUntil, progress, providers, now, restored }
}

/** Asked under the locks of an order: whoever asked Feishu earlier and comes later must not settle by what is old. */
export async function holdsSweep(sql: Sql, { appId, tenantKey, fence }: ClaimedSweep): Promise<boolean> {
  const text = 'SELECT 1 FROM sweeps WHERE app_id = $1 AND tenant_key = $2 AND fence = $3 FOR SHARE'
  return (await sql.query(text, [appId, tenantKey, fence])).rowCount === 1
}

/** What a turn leaves behind. A column that is left out stays as it is. */
export interface Turn {
  inMs: number
  progress: Progress | null
  /** What the question showed; left out when no answer came. */
  permission?: { is: 'readable' } | { is: 'unreadable'; reason: string }
  /** Why no answer came. */
  error?: string
  providers?: readonly string[]
  /** The sweep is whole. */
  finished?: { sweptUntil: Date; counts: Counts }
}

/** Lets go of a sweep. Whoever wanted it now while it was held gets it now. */
export async function endTurn(sql: Sql, sweep: ClaimedSweep, turn: Turn): Promise<void> {
  const { permission, error, finished } = turn
  await sql.query(
    `UPDATE sweeps SET lease_until = NULL, progress = $5,
       due_at = CASE WHEN due_at < lease_until THEN due_at ELSE now() + $4 * interval '1 ms' END,
       permission = coalesce($6, permission),
       reason = CASE WHEN $6::text IS NULL THEN reason ELSE $7 END,
       asked_at = CASE WHEN $6::text IS NULL THEN asked_at ELSE now() END,
       failures = CASE WHEN $8::text IS NULL THEN 0 ELSE failures + 1 END, error = $8,
       providers = coalesce($9, providers), swept_until = coalesce($10, swept_until), counts = coalesce($11, counts),
       finished_at = CASE WHEN $10::timestamptz IS NULL THEN finished_at ELSE now() END
     WHERE app_id = $1 AND tenant_key = $2 AND fence = $3`,
    [
      sweep.appId,
      sweep.tenantKey,
      sweep.fence,
      turn.inMs,
      turn.progress === null ? null : JSON.stringify(turn.progress),
      permission?.is ?? null,
      permission?.is === 'unreadable' ? permission.reason : null,
      error ?? null,
      turn.providers ?? null,
      finished?.sweptUntil ?? null,
      finished === undefined ? null : JSON.stringify(finished.counts),
    ],
  )
}

/** Makes sweeps due at once, all of them or those of one app or tenant. Answers how many there are. */
export async function sweepNow(sql: Sql, which: { appId?: string; tenantKey?: string }): Promise<number> {
  await enrol(sql, 0)
  const wanted = await sql.query(
    `UPDATE sweeps SET due_at = now() WHERE ($1::text IS NULL OR app_id = $1) AND ($2::text IS NULL OR tenant_key = $2)`,
    [which.appId ?? null, which.tenantKey ?? null],
  )
  return wanted.rowCount ?? 0
}
