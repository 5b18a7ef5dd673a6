import type { Sql } from '../../platform/database/database.js'

export type AppOfTenant = { kind: 'app'; appId: string } | { kind: 'unknown' } | { kind: 'several' }

/**
 * Which of these apps a tenant is known to have: it bound an account there or installed it. Agreements that were kept
 * through an app tell it only where nothing else does, since a person may have named the wrong one; and an app that was
 * uninstalled counts only where there is no other.
 */
export async function appOfTenant(sql: Sql, appIds: readonly string[], tenantKey: string): Promise<AppOfTenant> {
  const found = await sql.query<{ app_id: string }>(
    `WITH known AS (
       SELECT app_id, CASE
         WHEN EXISTS (SELECT 1 FROM tenants t WHERE t.tenant_key = $2 AND t.app_id = app.app_id AND t.state = 'uninstalled') THEN 3
         WHEN EXISTS (SELECT 1 FROM accounts a WHERE a.tenant_key = $2 AND a.app_id = app.app_id)
           OR EXISTS (SELECT 1 FROM tenants t WHERE t.tenant_key = $2 AND t.app_id = app.app_id) THEN 1
         WHEN EXISTS (SELECT 1 FROM agreements a WHERE a.tenant_key = $2 AND a.app_id = app.app_id) THEN 2
       END AS place FROM unnest($1::text[]) AS app (app_id)
     )
     SELECT app_id FROM known WHERE place = (SELECT min(place) FROM known)`,
    [appIds, tenantKey],
  )
  const [first, second] = found.rows
  if (first === undefined) return { kind: 'unknown' }
  return second === undefined ? { kind: 'app', appId: first.app_id } : { kind: 'several' }
}
