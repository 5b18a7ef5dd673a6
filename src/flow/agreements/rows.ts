import type { Sql } from '../../platform/database/database.js'
import type { AgreementKey } from './lanes.js'

/** What was accepted last for an agreement. */
export interface AgreementRow {
  /** `null` until a change was accepted: what Feishu has then is not known here. */
  state: number | null
  /** Milliseconds; 0 when nothing is known. */
  modifyTime: number
  deleted: boolean
}

/** What is known of an agreement; its row is locked where there is one. The caller holds the agreement's lane. */
export async function lockAgreement(sql: Sql, { appId, tenantKey, id }: AgreementKey): Promise<AgreementRow> {
  const found = await sql.query<{ state: number | null; modify_time: string; deleted: boolean }>(
    `SELECT state, modify_time, deleted FROM agreements
     WHERE app_id = $1 AND tenant_key = $2 AND agreement_id = $3 FOR UPDATE`,
    [appId, tenantKey, id],
  )
  const [row] = found.rows
  if (row === undefined) return { state: null, modifyTime: 0, deleted: false }
  return { state: row.state, modifyTime: Number(row.modify_time), deleted: row.deleted }
}

/** A create that settles at this moment may know a later time. */
export async function keepAgreement(
  sql: Sql,
  { appId, tenantKey, id }: AgreementKey,
  row: AgreementRow,
): Promise<void> {
  await sql.query(
    `INSERT INTO agreements (app_id, tenant_key, agreement_id, state, modify_time, deleted) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (app_id, tenant_key, agreement_id) DO UPDATE SET state = excluded.state, deleted = excluded.deleted,
       modify_time = greatest(agreements.modify_time, excluded.modify_time), updated_at = now()`,
    [appId, tenantKey, id, row.state, row.modifyTime, row.deleted],
  )
}

export interface LastDelivery {
  id: string
  state: string
}

/** The newest delivery of a lane; `null` when there was none, or none is kept any more. */
export async function lastDelivery(sql: Sql, lane: string): Promise<LastDelivery | null> {
  const found = await sql.query<LastDelivery>(
    'SELECT id, state FROM deliveries WHERE lane = $1 ORDER BY seq DESC LIMIT 1',
    [lane],
  )
  return found.rows[0] ?? null
}
