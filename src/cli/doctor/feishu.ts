import type { FeishuApp } from '../../config.js'
import { createTokens } from '../../flow/to-feishu/tokens.js'
import type { TokenStore } from '../../flow/to-feishu/tokens-store.js'
import { readProxies } from '../../platform/proxy.js'
import { type Check, doubt, type Found, type Ground, ok, skipped, wrong } from './check.js'

/** Told of in one run: those that cannot be read come first. */
const mostTenants = 20

export const tokenCheck: Check = {
  name: 'Feishu token',
  run: async (ground) => (await Promise.all(ground.config.feishu.apps.map((app) => checkToken(ground, app)))).flat(),
}

/** Asked of Feishu itself, not of the tokens that are kept: a secret may have changed since. */
async function checkToken({ config, database }: Ground, app: FeishuApp): Promise<Found[]> {
  const { appId, appType, baseUrl } = app
  if (appType === 'store') return checkTicket(database, appId)
  const proxy = readProxies(config.proxy)
  const tokens = createTokens({ apps: [app], store: forgetful(), timeoutMs: config.feishu.timeoutMs, proxy })
  try {
    const answer = await tokens.tenantToken(appId, '')
    if (answer.kind === 'token') return ok(`${appId}: ${new URL(baseUrl).host} gave one`)
    const code = answer.code === null ? '' : ` (code ${answer.code})`
    if (answer.class === 'later') {
      return wrong(
        `${appId}: ${answer.reason}${code}`,
        `check that this machine reaches ${baseUrl} (proxy, firewall, DNS), then try again`,
      )
    }
    return wrong(
      `${appId}: ${answer.reason}${code}`,
      'compare FEISHU_APP_ID and FEISHU_APP_SECRET with the console of Feishu',
    )
  } finally {
    await tokens.stop()
  }
}

async function checkTicket({ pool }: Ground['database'], appId: string): Promise<Found[]> {
  const found = await pool.query<{ received_at: Date | null }>(
    'SELECT received_at FROM app_tickets WHERE app_id = $1 AND ticket IS NOT NULL',
    [appId],
  )
  if (found.rowCount !== 0) return ok(`${appId}: an app ticket came at ${found.rows[0]?.received_at?.toISOString()}`)
  return wrong(
    `${appId}: no app ticket ever came, so a store app has no token`,
    'check that Feishu reaches the event URL and that events are verified; Feishu sends a ticket every hour',
  )
}

/** Keeps nothing: what the service has stays as it is. */
function forgetful(): TokenStore {
  return {
    read: async () => null,
    lease: async () => true,
    save: async () => undefined,
    release: async () => undefined,
    evict: async () => undefined,
    readTicket: async () => null,
    saveTicket: async () => undefined,
    mayAskForTicket: async () => false,
  }
}

/**
 * What the service found out when it last asked for each tenant's orders, and what calls were refused for: to ask here
 * would take from a quota that another process counts, and to try out a write would change something.
 */
export const scopesCheck: Check = {
  name: 'Feishu scopes',
  run: async (ground) => {
    const { rows } = await ground.database.pool.query<Swept>(
      `SELECT app_id, tenant_key, permission, reason, error FROM sweeps
       WHERE app_id = ANY($1) ORDER BY permission = 'unreadable' DESC, asked_at DESC NULLS LAST, id DESC LIMIT ${mostTenants}`,
      [ground.config.feishu.apps.map((app) => app.appId)],
    )
    const parked = await checkHolds(ground)
    if (rows.length === 0 && parked.length === 0)
      return skipped('no tenant’s orders were asked for yet: the first sweep tells, or `POST /v1/sweeps/run`')
    return [...rows.flatMap(judgeTenant), ...parked]
  },
}

interface Swept {
  app_id: string
  tenant_key: string
  permission: string
  reason: string | null
  error: string | null
}

function judgeTenant({ app_id: app, tenant_key: tenant, permission, reason, error }: Swept): Found[] {
  const who = `${app}, tenant ${tenant}`
  if (permission === 'readable') return ok(`${who}: its orders can be read`)
  if (permission === 'unreadable') {
    return doubt(
      `${who}: ${reason ?? 'its orders cannot be read'}, so nothing can be compared with Feishu there`,
      'give the app the scope hire:background_check_order:readonly and have the tenant agree; docs/reconciliation.md',
    )
  }
  return skipped(`${who}: its orders were not asked for yet${error === null ? '' : ` (${error})`}`)
}

/** What calls that change something were refused for; to try one out would change something. */
async function checkHolds({ database: { pool } }: Ground): Promise<Found[]> {
  const { rows } = await pool.query<{ app_id: string; tenant_key: string; api: string; reason: string }>(
    `SELECT app_id, tenant_key, api, reason FROM holds WHERE released_at IS NULL AND scope <> 'vendor' ORDER BY id LIMIT 20`,
  )
  return rows.flatMap(({ app_id: app, tenant_key: tenant, api, reason }) =>
    wrong(
      `parked: ${[app, tenant, api].filter((each) => each !== '').join(', ')}: ${reason}`,
      'mend the cause in Feishu, then `bgc holds release`',
    ),
  )
}
