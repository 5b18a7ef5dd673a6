import type { Sql } from '../../platform/database/database.js'
import { laneOfOrder } from '../map.js'

interface Tenant {
  appId: string
  tenantKey: string
}

/** The newest orders that Feishu gave us, old enough to be in its lists. */
export async function ordersToProbe(
  sql: Sql,
  { appId, tenantKey }: Tenant,
  before: Date,
  limit: number,
): Promise<string[]> {
  const found = await sql.query<{ background_check_id: string }>(
    `SELECT background_check_id FROM orders WHERE tenant_key = $2 AND app_id = $1 AND created_at <= $3
     ORDER BY created_at DESC LIMIT $4`,
    [appId, tenantKey, before, limit],
  )
  return found.rows.map((row) => row.background_check_id)
}

/** When the first account or order of a tenant was known here, in ms: what began before belonged to somebody else. */
export async function knownSince(sql: Sql, { appId, tenantKey }: Tenant): Promise<number> {
  const found = await sql.query<{ since: Date }>(
    `SELECT coalesce(least(
       (SELECT min(created_at) FROM accounts WHERE app_id = $1 AND tenant_key = $2),
       (SELECT created_at FROM orders WHERE app_id = $1 AND tenant_key = $2 ORDER BY created_at LIMIT 1)), now()) AS since`,
    [appId, tenantKey],
  )
  return found.rows[0]?.since.getTime() ?? Date.now()
}

/**
 * Orders with something that nobody confirmed, with differences that last and that the list did not show, or of which it is
 * not known what was sent before the database was restored, by their ids.
 */
export async function doubtedOrders(
  sql: Sql,
  { appId, tenantKey }: Tenant,
  { after, since, seenBefore, limit }: { after: string; since: Date; seenBefore: Date; limit: number },
): Promise<string[]> {
  const found = await sql.query<{ id: string }>(
    `SELECT background_check_id AS id FROM deliveries
     WHERE state = 'delivered' AND NOT confirmed AND tenant_key = $2 AND background_check_id > $3 AND app_id = $1 AND settled_at > $4
     UNION SELECT background_check_id FROM deliveries
     WHERE state = 'dead' AND dead_class = 'unconfirmed' AND tenant_key = $2 AND background_check_id > $3 AND app_id = $1
       AND settled_at > $4
     UNION SELECT background_check_id FROM findings
     WHERE state IN ('open', 'dismissed') AND settled_at IS NULL AND tenant_key = $2 AND background_check_id > $3 AND app_id = $1
       AND found_at > $4 AND seen_at < $6
     UNION SELECT o.background_check_id FROM orders o JOIN lanes l ON l.lane = $7 || o.background_check_id
     WHERE l.unsure AND o.tenant_key = $2 AND o.background_check_id > $3 AND o.app_id = $1
       AND o.state NOT IN ('completed', 'canceled') AND EXISTS (SELECT 1 FROM restores WHERE restored_at > $4)
     ORDER BY id LIMIT $5`,
    [appId, tenantKey, after, since, limit, seenBefore, laneOfOrder('')],
  )
  return found.rows.map((row) => row.id)
}
