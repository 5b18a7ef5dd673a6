import type { Parts } from '../../app.js'
import { appOfTenant } from '../../flow/agreements/app-of-tenant.js'
import { misfit, type Problem } from './problems.js'

/** The app that a call is made through: the one that was named, the only one, or the only one that knows the tenant. */
export async function resolveApp(
  { config, database }: Parts,
  named: string | undefined,
  tenantKey: string,
): Promise<{ kind: 'app'; appId: string } | Problem> {
  const appIds = config.feishu.apps.map((app) => app.appId)
  if (named !== undefined && named !== '') {
    return appIds.includes(named) ? { kind: 'app', appId: named } : expected(appIds)
  }
  const [only, other] = appIds
  if (only !== undefined && other === undefined) return { kind: 'app', appId: only }
  const found = await appOfTenant(database.pool, appIds, tenantKey)
  if (found.kind === 'app') return found
  const known = found.kind === 'unknown' ? 'no app' : 'more than one'
  return expected(appIds, `, since ${known} of this tenant is known here`)
}

function expected(appIds: readonly string[], why = ''): Problem {
  return misfit([{ path: 'app_id', message: `expected one of the apps of this service: ${appIds.join(', ')}${why}` }])
}
