import { createDataKey, type DataKey, openDataKey } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import type { FeishuReport } from '../map.js'
import { openBody } from '../outbox/bodies.js'
import { isGenuine, type ReadToken, readToken } from './link.js'
import { isFile, reportsOf } from './sent-links.js'

/** A report as it was sent to Feishu, and what the vendor knows it by. */
export interface SentReport {
  deliveryId: string
  backgroundCheckId: string
  vendorOrderId: string | null
  /** Feishu's id of the stage, or of the one in whose place it was sent again; `null` for a report of the result. */
  stageId: string | null
  report: FeishuReport
  /** How many before it in the list have the same name and type. */
  namesakes: number
}

export type Found =
  /** No such link, or its order was erased: nobody can tell which. */
  { kind: 'not_found' } | { kind: 'expired'; deliveryId: string } | { kind: 'found'; sent: SentReport }

interface Row {
  background_check_id: string
  lane: string
  api: string
  stage_id: string | null
  body_sealed: Buffer | null
  data_key: Buffer | null
  vendor_order_id: string | null
  resends: string | null
}

const rowSql = `
  SELECT d.background_check_id, d.lane, d.api, d.stage_id, d.body_sealed, o.data_key, o.vendor_order_id,
    (SELECT t.detail ->> 'resends' FROM timeline t WHERE t.background_check_id = d.background_check_id
       AND t.kind = 'resent' AND t.detail ->> 'stage_id' = d.stage_id ORDER BY t.id DESC LIMIT 1) AS resends
  FROM deliveries d JOIN orders o ON o.background_check_id = d.background_check_id WHERE d.id = $1`

/**
 * From a token to the report that it was made for. A token of no order goes the same way as a wrong one: one row asked
 * for, one key opened, one HMAC compared.
 */
export function createFinder(sql: Sql, sealer: Sealer, now: () => number): (token: string) => Promise<Found> {
  const nobodys = createDataKey(sealer, 'nobody').wrapped
  return async (text) => {
    const token = readToken(text)
    if (token === null) return { kind: 'not_found' }
    const { rows } = await sql.query<Row>({ name: 'find-report', text: rowSql, values: [token.deliveryId] })
    const row = rows[0]
    const known = row?.data_key === null ? undefined : row
    const key = openDataKey(sealer, known?.background_check_id ?? 'nobody', known?.data_key ?? nobodys)
    if (!isGenuine(key, token) || known === undefined) return { kind: 'not_found' }
    if (token.expiresAt <= now()) return { kind: 'expired', deliveryId: token.deliveryId }
    return readReport(known, key, token)
  }
}

export function isNamesake(one: FeishuReport, other: FeishuReport): boolean {
  return one.report_name === other.report_name && one.report_url_type === other.report_url_type
}

function readReport(row: Row, key: DataKey, { deliveryId, index }: ReadToken): Found {
  if (row.body_sealed === null) return { kind: 'not_found' }
  const reports = reportsOf(openBody(key, row.lane, row.api, row.body_sealed))
  const report = reports[index]
  if (report === undefined || !isFile(report)) return { kind: 'not_found' }
  const sent: SentReport = {
    deliveryId,
    backgroundCheckId: row.background_check_id,
    vendorOrderId: row.vendor_order_id,
    stageId: row.resends ?? row.stage_id,
    report,
    namesakes: reports.slice(0, index).filter((each) => isNamesake(each, report)).length,
  }
  return { kind: 'found', sent }
}
