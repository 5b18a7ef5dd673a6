import type { Sql } from '../../platform/database/database.js'
import { addToAudit } from '../audit.js'
import { laneOfOrder } from '../map.js'
import { restoredApi } from '../outbox/buckets.js'
import { unsureBegin } from '../outbox/unsure.js'

export interface RestoreToMark {
  /** What happened after this is not in the database. */
  backupAt: Date
  /** The user of the command line. */
  actor: string
  /** How it was restored: from a file of `bgc backup`, or by other means. */
  by: 'restore' | 'mark'
}

/**
 * Tells a database that it was restored, in the transaction that loads it. What the backup shows as under way is not: claims
 * and leases end. What it shows as waiting for Feishu may have been sent since, what the vendor was to be told may have been
 * told, and Feishu will not push again what it knows to be received: each app and tenant is held until its orders in Feishu
 * were compared (restored.ts), or a person lets it go on.
 *
 * Answers how many tenants are held.
 */
export async function markRestored(sql: Sql, { backupAt, actor, by }: RestoreToMark): Promise<number> {
  await endClaims(sql)
  await doubtVendorTasks(sql)
  await doubtDeliveries(sql)
  await sweepAll(sql)
  const held = await holdAll(sql, backupAt)
  await sql.query(
    `INSERT INTO timeline (background_check_id, kind, detail)
     SELECT background_check_id, 'restored', jsonb_build_object('backup_at', $1::text) FROM orders
     WHERE state NOT IN ('completed', 'canceled')`,
    [backupAt.toISOString()],
  )
  await sql.query(
    'INSERT INTO restores (backup_at, restored_at, released_at) VALUES ($1, now(), CASE WHEN $2 = 0 THEN now() END)',
    [backupAt, held],
  )
  await addToAudit(sql, [
    {
      actor,
      via: 'cli',
      action: 'database.restore',
      subject: 'database',
      outcome: 'done',
      after: { backup_at: backupAt.toISOString(), by, tenants_held: held },
    },
  ])
  return held
}

async function endClaims(sql: Sql): Promise<void> {
  await sql.query(`UPDATE events SET due_at = now() WHERE due_at > now() AND state = 'new'`)
  await sql.query('UPDATE poll_schedule SET claimed = false, nudged = false, due_at = now() WHERE claimed')
  await sql.query('UPDATE vendor_feeds SET lease_until = NULL')
  await sql.query('UPDATE buckets SET lease_owner = NULL, lease_until = NULL, not_before = NULL')
}

/**
 * Placing is begun with the question whether the vendor has the order. What an operator wanted to be sent again was sent
 * again, or is for the operator to say once more.
 */
async function doubtVendorTasks(sql: Sql): Promise<void> {
  await sql.query(
    `UPDATE vendor_tasks SET claimed = false, due_at = now(), first_attempt_at = NULL, fence = fence + 1,
       ambiguous_at = CASE WHEN action = 'place' THEN now() ELSE ambiguous_at END`,
  )
  await sql.query(
    `WITH dropped AS (DELETE FROM vendor_tasks WHERE action = 'resend' RETURNING subject)
     INSERT INTO timeline (background_check_id, kind)
     SELECT substring(subject FROM '^resend:([^/]+)'), 'resend_dropped' FROM dropped`,
  )
}

/** A claim of the backup's time may have been a call: it counts as an attempt. */
async function doubtDeliveries(sql: Sql): Promise<void> {
  await sql.query(
    `UPDATE deliveries SET state = 'pending', ambiguous = true, last_error = $1,
       attempts = attempts + CASE WHEN state = 'sending' THEN 1 ELSE 0 END,
       first_attempt_at = CASE WHEN state = 'sending' THEN coalesce(first_attempt_at, now()) ELSE first_attempt_at END
     WHERE state IN ('pending', 'sending')`,
    [JSON.stringify(unsureBegin)],
  )
  await sql.query('UPDATE lanes SET unsure = true')
  await sql.query(
    `INSERT INTO lanes (lane, unsure) SELECT $1 || background_check_id, true FROM orders
     WHERE state NOT IN ('completed', 'canceled') ON CONFLICT DO NOTHING`,
    [laneOfOrder('')],
  )
}

/** Every app and tenant that anything could be sent for. */
const tenantsSql = `
  SELECT app_id, tenant_key FROM accounts UNION SELECT app_id, tenant_key FROM orders
  UNION SELECT app_id, tenant_key FROM buckets UNION SELECT app_id, tenant_key FROM agreements
  UNION SELECT app_id, tenant_key FROM account_field_sets UNION SELECT app_id, tenant_key FROM sweeps`

/** From scratch, and whether orders can be read is found out anew. */
async function sweepAll(sql: Sql): Promise<void> {
  await sql.query(
    `INSERT INTO sweeps AS s (app_id, tenant_key) SELECT app_id, tenant_key FROM (${tenantsSql}) t WHERE tenant_key <> ''
     ON CONFLICT (app_id, tenant_key) DO UPDATE SET permission = 'unknown', reason = NULL, due_at = now(), lease_until = NULL,
       fence = s.fence + 1, failures = 0, error = NULL, swept_until = NULL, progress = NULL`,
  )
}

async function holdAll(sql: Sql, backupAt: Date): Promise<number> {
  const reason =
    `restored: the database comes from a backup of ${backupAt.toISOString()}. It goes on by itself once Feishu's list of ` +
    'orders was compared (GET /v1/sweeps); where that cannot be read, when this is released'
  const held = await sql.query(
    `INSERT INTO holds (scope, app_id, tenant_key, api, reason)
     SELECT 'restore', app_id, tenant_key, $1, $2 FROM (${tenantsSql}) t WHERE tenant_key <> ''
     ON CONFLICT (app_id, tenant_key, api) WHERE released_at IS NULL DO UPDATE SET reason = excluded.reason, created_at = now()`,
    [restoredApi, reason],
  )
  return held.rowCount ?? 0
}
