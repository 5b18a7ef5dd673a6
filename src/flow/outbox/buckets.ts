import type { Sql } from '../../platform/database/database.js'

/** What Feishu counts together; one pump at a time sends from it. */
export interface Bucket {
  id: number
  appId: string
  tenantKey: string
  api: string
  epoch: string
}

/** The bucket that Feishu counts a call in: app × tenant × API method. */
export async function bucketOf(
  sql: Sql,
  appId: string,
  tenantKey: string,
  api: string,
): Promise<{ id: number; epoch: string }> {
  const find = async () => {
    const text = 'SELECT id, epoch FROM buckets WHERE app_id = $1 AND tenant_key = $2 AND api = $3'
    const values = [appId, tenantKey, api]
    return (await sql.query<{ id: number; epoch: string }>({ name: 'find-bucket', text, values })).rows[0]
  }
  const known = await find()
  if (known) return known
  const text = 'INSERT INTO buckets (app_id, tenant_key, api) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING'
  await sql.query(text, [appId, tenantKey, api])
  const made = await find()
  if (made) return made
  throw new Error(`the bucket of ${api} cannot be read after it was made`)
}

/** Methods that one hold may park together: `tripartite_agreements` of `tripartite_agreements.update`. */
export function familyOf(api: string): string {
  return api.split('.')[0] ?? api
}

/** What a hold after a restore names as its method: it parks all that is sent, and no question to Feishu. */
export const restoredApi = 'restored'

/** Whether a hold `h` parks the method of a bucket `b`: it names none, this one, or its family, or came with a restore. */
export const holdsApi = `h.api IN ('', '${restoredApi}', b.api, split_part(b.api, '.', 1))`

interface BucketRow {
  id: number
  app_id: string
  tenant_key: string
  api: string
  epoch: string
}

const hasDue = 'SELECT 1 FROM deliveries d WHERE d.bucket_id = b.id AND d.due_at <= now()'

/** Buckets that were named are looked into one by one (`OFFSET 0`): nobody reads what is due in all others for them. */
function leaseQuery(only: readonly number[] | null, common: readonly unknown[]) {
  if (only === null) return { text: leaseSql('true', hasDue), values: [...common] }
  const apart = `${hasDue} OFFSET 0`
  // Nearly always one bucket is named, and its statement keeps its plan. For an array PostgreSQL would assume ten buckets, find
  // that plan dearer than one for the values that came, and plan anew each time.
  return only.length === 1
    ? { name: 'lease-bucket', text: leaseSql('b.id = $4', apart), values: [...common, only[0]] }
    : { text: leaseSql('b.id = ANY($4)', apart), values: [...common, only] }
}

function leaseSql(which: string, due: string): string {
  return `
    WITH due AS (
      SELECT b.id FROM buckets b
      WHERE ${which}
        AND (b.lease_until IS NULL OR b.lease_until <= now()) AND (b.not_before IS NULL OR b.not_before <= now())
        AND EXISTS (${due})
        AND NOT EXISTS (
          SELECT 1 FROM holds h WHERE h.released_at IS NULL AND h.app_id = b.app_id
            AND h.tenant_key IN ('', b.tenant_key) AND ${holdsApi})
      ORDER BY b.lease_until NULLS FIRST LIMIT $3 FOR UPDATE SKIP LOCKED
    )
    UPDATE buckets b SET lease_owner = $1, lease_until = now() + $2 * interval '1 ms'
    FROM due WHERE b.id = due.id RETURNING b.id, b.app_id, b.tenant_key, b.api, b.epoch`
}

/** Buckets where something is due that nothing holds back, leased to `owner`; `only` these, or any. */
export async function leaseDueBuckets(
  sql: Sql,
  owner: string,
  leaseMs: number,
  limit: number,
  only: readonly number[] | null,
): Promise<Bucket[]> {
  const leased = await sql.query<BucketRow>(leaseQuery(only, [owner, leaseMs, limit]))
  return leased.rows.map((row) => ({
    id: row.id,
    appId: row.app_id,
    tenantKey: row.tenant_key,
    api: row.api,
    epoch: row.epoch,
  }))
}

/**
 * Buckets where something is due that nothing holds back, and that no process sends from; `since` says from when on one
 * could have. They wait for a moment while there is a process with the role `sync` that has room.
 */
export const unattendedBuckets = `
  SELECT b.id, greatest(first.due_at, b.not_before, b.lease_until) AS since
  FROM buckets b CROSS JOIN LATERAL (
    SELECT d.due_at FROM deliveries d WHERE d.bucket_id = b.id AND d.due_at IS NOT NULL ORDER BY d.due_at LIMIT 1
  ) first
  WHERE greatest(first.due_at, b.not_before, b.lease_until) <= now() AND NOT EXISTS (
    SELECT 1 FROM holds h WHERE h.released_at IS NULL AND h.app_id = b.app_id
      AND h.tenant_key IN ('', b.tenant_key) AND ${holdsApi})`

/** Answers the buckets that are still the owner's. Locked by their ids, as whoever releases a hold does. */
export async function renewBuckets(
  sql: Sql,
  owner: string,
  ids: readonly number[],
  leaseMs: number,
): Promise<Set<number>> {
  const renewed = await sql.query<{ id: number }>(
    `UPDATE buckets SET lease_until = now() + $3 * interval '1 ms' WHERE id IN (
       SELECT id FROM buckets WHERE id = ANY($2) AND lease_owner = $1 ORDER BY id FOR UPDATE) RETURNING id`,
    [owner, ids, leaseMs],
  )
  return new Set(renewed.rows.map((row) => row.id))
}

/** Ends a lease; the bucket rests until `notBeforeMs` from now. Answers in how many ms something is due, if anything is. */
export async function releaseBucket(sql: Sql, owner: string, id: number, notBeforeMs: number): Promise<number | null> {
  const released = await sql.query<{ due_in_ms: number | null }>({
    name: 'release-bucket',
    text: `UPDATE buckets SET lease_owner = NULL, lease_until = NULL,
       not_before = CASE WHEN $3 > 0 THEN now() + $3 * interval '1 ms' END
     WHERE id = $2 AND lease_owner = $1
     RETURNING (SELECT extract(epoch FROM due_at - now())::float8 * 1000 FROM deliveries
       WHERE bucket_id = $2 AND due_at IS NOT NULL ORDER BY due_at LIMIT 1) AS due_in_ms`,
    values: [owner, id, notBeforeMs],
  })
  const dueInMs = released.rows[0]?.due_in_ms ?? null
  return dueInMs === null ? null : Math.max(notBeforeMs, dueInMs, 0)
}

/** A new name for the life of a bucket's limiter state, unless somebody else gave one meanwhile. */
export async function renewEpoch(sql: Sql, bucketId: number, from: string, to: string): Promise<string> {
  const renewed = await sql.query<{ epoch: string }>(
    'UPDATE buckets SET epoch = CASE WHEN epoch = $2 THEN $3 ELSE epoch END WHERE id = $1 RETURNING epoch',
    [bucketId, from, to],
  )
  return renewed.rows[0]?.epoch ?? to
}
