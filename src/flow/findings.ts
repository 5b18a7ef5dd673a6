import type { Sql } from '../platform/database/database.js'
import { isArchived } from './archived.js'

/**
 * What differs between Feishu or the vendor and us; docs/reconciliation.md explains each kind. Only ever added to.
 *
 * A finding is one row as long as the difference lasts: `open` until somebody `dismissed` it, `repaired` when a sweep
 * mended it, `gone` when a later look did not find it any more.
 */
export const findingKinds = [
  'created_event_lost',
  'stage_not_in_feishu',
  'result_not_in_feishu',
  'cancel_not_in_feishu',
  'terminated_in_feishu',
  'completed_in_feishu',
  'open_in_feishu',
  'result_not_approved',
  'missing_in_feishu',
  'vendor_order_unknown_here',
] as const

export type FindingKind = (typeof findingKinds)[number]

export const findingStates = ['open', 'repaired', 'gone', 'dismissed'] as const

/** About orders that are not known here; they end when the order comes after all. */
export const unknownHere = ['created_event_lost', 'vendor_order_unknown_here'] as const satisfies FindingKind[]

/** `detail` holds ids, codes and times, never a person's data, a result or a link. */
export interface FindingToNote {
  kind: FindingKind
  appId: string
  tenantKey: string
  backgroundCheckId: string
  vendorOrderId?: string
  /** The delivery that it is about. */
  subject?: string
  detail?: Record<string, string | number>
}

/** Writes differences down that last: each is one row however often it is seen. Answers those that are new. */
export async function noteFindings(sql: Sql, found: readonly FindingToNote[]): Promise<FindingKind[]> {
  if (found.length === 0) return []
  // In one order for everybody, since two sweeps may write the same rows.
  const sorted = found.toSorted((one, other) => keyOf(one).localeCompare(keyOf(other)))
  const noted = await sql.query<{ kind: FindingKind; is_new: boolean }>(
    `INSERT INTO findings AS f (kind, app_id, tenant_key, background_check_id, vendor_order_id, subject, detail)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[])
     ON CONFLICT (background_check_id, kind, app_id, tenant_key, subject) WHERE settled_at IS NULL
     DO UPDATE SET seen_at = now(), detail = excluded.detail
     RETURNING f.kind, f.xmax = 0 AS is_new`,
    [
      sorted.map((each) => each.kind),
      sorted.map((each) => each.appId),
      sorted.map((each) => each.tenantKey),
      sorted.map((each) => each.backgroundCheckId),
      sorted.map((each) => each.vendorOrderId ?? null),
      sorted.map((each) => each.subject ?? ''),
      sorted.map((each) => JSON.stringify(each.detail ?? {})),
    ],
  )
  return noted.rows.filter((row) => row.is_new).map((row) => row.kind)
}

/** Notes a difference that was mended at once, or ends the one that was open. */
export async function noteRepaired(sql: Sql, found: FindingToNote): Promise<void> {
  await noteFindings(sql, [found])
  await sql.query(
    `UPDATE findings SET state = 'repaired', settled_at = now()
     WHERE background_check_id = $1 AND kind = $2 AND app_id = $3 AND tenant_key = $4 AND subject = $5 AND settled_at IS NULL`,
    [found.backgroundCheckId, found.kind, found.appId, found.tenantKey, found.subject ?? ''],
  )
}

/** Whether this very difference was mended before, or somebody dismissed it. */
export async function wasSettledBefore(sql: Sql, found: FindingToNote): Promise<boolean> {
  const text = `SELECT 1 FROM findings
    WHERE background_check_id = $1 AND kind = $2 AND subject = $3 AND state IN ('repaired', 'dismissed') LIMIT 1`
  return (await sql.query(text, [found.backgroundCheckId, found.kind, found.subject ?? ''])).rowCount === 1
}

/** What is still there of an order's differences, and which kinds nobody could judge: the others are gone. */
export async function settleGone(
  sql: Sql,
  of: Pick<FindingToNote, 'appId' | 'tenantKey' | 'backgroundCheckId'>,
  still: readonly Pick<FindingToNote, 'kind' | 'subject'>[],
  undecided: readonly FindingKind[],
): Promise<void> {
  await sql.query(
    `UPDATE findings SET state = CASE state WHEN 'open' THEN 'gone' ELSE state END, settled_at = now()
     WHERE background_check_id = $1 AND app_id = $2 AND tenant_key = $3 AND settled_at IS NULL
       AND NOT kind = ANY($4) AND NOT kind || ':' || subject = ANY($5)`,
    [
      of.backgroundCheckId,
      of.appId,
      of.tenantKey,
      undecided,
      still.map(({ kind, subject = '' }) => `${kind}:${subject}`),
    ],
  )
}

/**
 * The vendor has an order for a check that is not known here: its event was lost, or another service placed it. An order
 * that is being placed is known by its check.
 */
export async function noteVendorOrder(sql: Sql, backgroundCheckId: string, vendorOrderId: string): Promise<void> {
  const known = await sql.query('SELECT 1 FROM orders WHERE background_check_id = $1', [backgroundCheckId])
  if (known.rowCount !== 0 || (await isArchived(sql, backgroundCheckId))) return
  const kind = 'vendor_order_unknown_here'
  await noteFindings(sql, [{ kind, appId: '', tenantKey: '', backgroundCheckId, vendorOrderId }])
}

/** An event that came after all, an order that was imported: the order is known now. */
export async function settleKnown(sql: Sql): Promise<void> {
  await sql.query(
    `UPDATE findings f SET state = CASE state WHEN 'open' THEN 'gone' ELSE state END, settled_at = now()
     WHERE f.id IN (
       SELECT w.id FROM findings w JOIN orders o ON o.background_check_id = w.background_check_id
       WHERE w.settled_at IS NULL AND w.kind = ANY($1) FOR UPDATE OF w SKIP LOCKED)`,
    [unknownHere],
  )
}

/** Orders carry a flag while a difference is open. The caller holds the order. */
export async function flagDifference(sql: Sql, backgroundCheckId: string): Promise<void> {
  await sql.query(
    `UPDATE orders o SET updated_at = now(), attention = CASE WHEN w.differs
         THEN array_append(o.attention, 'differs_in_feishu') ELSE array_remove(o.attention, 'differs_in_feishu') END
     FROM (SELECT EXISTS (SELECT 1 FROM findings f WHERE f.background_check_id = $1 AND f.state = 'open'
             AND NOT f.kind = ANY($2)) AS differs) w
     WHERE o.background_check_id = $1 AND w.differs <> (o.attention @> ARRAY['differs_in_feishu'])`,
    [backgroundCheckId, unknownHere],
  )
}

/** A person looked at it: it is not shown as open any more, as long as it lasts. `null`: there is no such finding. */
export async function dismissFinding(sql: Sql, id: bigint): Promise<'dismissed' | 'not_open' | null> {
  const found = await sql.query<{ background_check_id: string }>(
    'SELECT background_check_id FROM findings WHERE id = $1',
    [id],
  )
  const backgroundCheckId = found.rows[0]?.background_check_id
  if (backgroundCheckId === undefined) return null
  // The order before its findings, as sweeps lock them.
  await sql.query('SELECT 1 FROM orders WHERE background_check_id = $1 FOR UPDATE', [backgroundCheckId])
  const dismissed = await sql.query(`UPDATE findings SET state = 'dismissed' WHERE id = $1 AND state = 'open'`, [id])
  if (dismissed.rowCount === 0) return 'not_open'
  await flagDifference(sql, backgroundCheckId)
  return 'dismissed'
}

function keyOf({ backgroundCheckId, kind, subject = '' }: FindingToNote): string {
  return `${backgroundCheckId} ${kind} ${subject}`
}
