import type { Sql } from '../../platform/database/database.js'
import { type Bucket, familyOf, holdsApi } from '../outbox/buckets.js'

/** `restore` and `vendor` are put by others: src/flow/reconcile/mark-restored.ts, src/flow/vendor/parking.ts. */
export type HoldScope = 'tenant' | 'app' | 'method'

/** Parks what a mistake outside of this service would only refuse again; released by an operator or a life-cycle event. */
export async function hold(
  sql: Sql,
  bucket: Pick<Bucket, 'appId' | 'tenantKey' | 'api'>,
  reason: { scope: HoldScope; family?: true; code: number | null; reason: string },
): Promise<boolean> {
  const tenantKey = reason.scope === 'app' ? '' : bucket.tenantKey
  const api = reason.scope === 'method' ? (reason.family ? familyOf(bucket.api) : bucket.api) : ''
  const held = await sql.query(
    `INSERT INTO holds (scope, app_id, tenant_key, api, reason, code) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (app_id, tenant_key, api) WHERE released_at IS NULL DO NOTHING`,
    [reason.scope, bucket.appId, tenantKey, api, reason.reason, reason.code],
  )
  return held.rowCount === 1
}

/** Refusals of the app's own credentials (contract §4.3), which a new configuration may have mended. */
const credentialCodes = [10003, 10014, 10015]

/** At a start the apps are tried anew: what is still wrong is parked again by the first call. */
export async function releaseCredentialHolds(sql: Sql, appIds: readonly string[]): Promise<number> {
  const released = await sql.query(
    `UPDATE holds SET released_at = now() WHERE released_at IS NULL AND scope = 'app' AND app_id = ANY($1) AND code = ANY($2)`,
    [appIds, credentialCodes],
  )
  await sql.query(
    `UPDATE buckets SET not_before = NULL WHERE id IN (
       SELECT id FROM buckets WHERE app_id = ANY($1) AND not_before IS NOT NULL ORDER BY id FOR UPDATE)`,
    [appIds],
  )
  return released.rowCount ?? 0
}

/**
 * Answers the buckets that something waits in and that may go on at once, unless another hold parks them, too; `null`
 * when the hold is not open.
 */
export async function release(sql: Sql, id: bigint): Promise<number[] | null> {
  // Whoever releases at the same time waits here, so that the last one sees that it is the last.
  await sql.query('SELECT 1 FROM restores WHERE released_at IS NULL FOR UPDATE')
  const released = await sql.query('UPDATE holds SET released_at = now() WHERE id = $1 AND released_at IS NULL', [id])
  if (released.rowCount === 0) return null
  await sql.query(
    `UPDATE restores SET released_at = now() WHERE released_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM holds WHERE scope = 'restore' AND released_at IS NULL)`,
  )
  const freed = await sql.query<{ id: number; waits: boolean }>(
    `UPDATE buckets b SET not_before = NULL WHERE b.id IN (
       SELECT b.id FROM holds h JOIN buckets b ON b.app_id = h.app_id AND h.tenant_key IN ('', b.tenant_key) AND ${holdsApi}
       WHERE h.id = $1 ORDER BY b.id FOR UPDATE OF b)
     RETURNING b.id, EXISTS (SELECT 1 FROM deliveries d WHERE d.bucket_id = b.id AND d.due_at IS NOT NULL) AS waits`,
    [id],
  )
  return freed.rows.filter((row) => row.waits).map((row) => row.id)
}
