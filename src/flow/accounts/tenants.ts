import type { Sql } from '../../platform/database/database.js'

export type TenantState = 'active' | 'stopped_by_tenant' | 'stopped_by_platform' | 'uninstalled'

/**
 * What a store app's life-cycle event says about a tenant, kept by the newest event: while an app is stopped or gone
 * nothing is sent for that tenant, and it goes on when the app is back (contract §1.6).
 */
export async function changeTenant(
  sql: Sql,
  tenant: { appId: string; tenantKey: string; state: TenantState; ts: string },
): Promise<void> {
  const changed = await sql.query(
    `INSERT INTO tenants (app_id, tenant_key, state, changed_ts) VALUES ($1, $2, $3, $4)
     ON CONFLICT (app_id, tenant_key) DO UPDATE SET state = excluded.state, changed_ts = excluded.changed_ts, updated_at = now()
     WHERE coalesce(nullif(tenants.changed_ts, ''), '0')::numeric <= excluded.changed_ts::numeric`,
    [tenant.appId, tenant.tenantKey, tenant.state, tenant.ts],
  )
  if (changed.rowCount === 0) return
  if (tenant.state === 'active') await releaseLifecycleHold(sql, tenant.appId, tenant.tenantKey)
  else await holdForLifecycle(sql, tenant.appId, tenant.tenantKey, tenant.state)
}

const reasons: Record<Exclude<TenantState, 'active'>, string> = {
  stopped_by_tenant: 'the customer disabled the app',
  stopped_by_platform: 'the platform disabled the app for this customer',
  uninstalled: 'the customer uninstalled the app',
}

async function holdForLifecycle(
  sql: Sql,
  appId: string,
  tenantKey: string,
  state: Exclude<TenantState, 'active'>,
): Promise<void> {
  await sql.query(
    `INSERT INTO holds (scope, app_id, tenant_key, reason) VALUES ('tenant', $1, $2, $3)
     ON CONFLICT (app_id, tenant_key, api) WHERE released_at IS NULL DO UPDATE SET reason = excluded.reason`,
    [appId, tenantKey, reasons[state]],
  )
}

async function releaseLifecycleHold(sql: Sql, appId: string, tenantKey: string): Promise<void> {
  await sql.query(
    `UPDATE holds SET released_at = now() WHERE app_id = $1 AND tenant_key = $2 AND scope = 'tenant' AND released_at IS NULL`,
    [appId, tenantKey],
  )
}
