/** The endpoints of contract §3.1 and §4.2; `tier` picks the windows of contract §4.1, none for the token endpoints. */
export type ApiEntry = {
  readonly name: string
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  readonly path: string
  readonly tier: 'fast' | 'slow' | 'none'
  /** Any one of them is enough. */
  readonly scopes: readonly string[]
}

const hire = '/open-apis/hire/v1'
const auth = '/open-apis/auth/v3'
const orderScope = ['hire:background_check_order']
const fieldScope = ['hire:background_check_order', 'hire:exam']
const orderReadScope = ['hire:background_check_order', 'hire:background_check_order:readonly']
const agreementScope = ['hire:tripartite_agreement']
const agreementReadScope = ['hire:tripartite_agreement', 'hire:tripartite_agreement:readonly']

const checks = `${hire}/eco_background_checks`
const fields = `${hire}/eco_background_check_custom_fields`
const packages = `${hire}/eco_background_check_packages`
const accountFields = `${hire}/eco_account_custom_fields`
const agreements = `${hire}/tripartite_agreements`
const orders = `${hire}/background_check_orders`

export const apis = [
  { name: 'update_progress', method: 'POST', path: `${checks}/update_progress`, tier: 'fast', scopes: orderScope },
  { name: 'update_result', method: 'POST', path: `${checks}/update_result`, tier: 'fast', scopes: orderScope },
  { name: 'cancel', method: 'POST', path: `${checks}/cancel`, tier: 'fast', scopes: orderScope },
  { name: 'custom_fields.create', method: 'POST', path: fields, tier: 'fast', scopes: orderScope },
  {
    name: 'custom_fields.batch_update',
    method: 'PATCH',
    path: `${fields}/batch_update`,
    tier: 'fast',
    scopes: orderScope,
  },
  {
    name: 'custom_fields.batch_delete',
    method: 'POST',
    path: `${fields}/batch_delete`,
    tier: 'fast',
    scopes: orderScope,
  },
  { name: 'packages.create', method: 'POST', path: packages, tier: 'fast', scopes: orderScope },
  {
    name: 'packages.batch_update',
    method: 'PATCH',
    path: `${packages}/batch_update`,
    tier: 'fast',
    scopes: orderScope,
  },
  { name: 'packages.batch_delete', method: 'POST', path: `${packages}/batch_delete`, tier: 'fast', scopes: orderScope },
  { name: 'account_custom_fields.create', method: 'POST', path: accountFields, tier: 'fast', scopes: fieldScope },
  {
    name: 'account_custom_fields.batch_update',
    method: 'PATCH',
    path: `${accountFields}/batch_update`,
    tier: 'fast',
    scopes: fieldScope,
  },
  {
    name: 'account_custom_fields.batch_delete',
    method: 'POST',
    path: `${accountFields}/batch_delete`,
    tier: 'fast',
    scopes: fieldScope,
  },
  { name: 'tripartite_agreements.create', method: 'POST', path: agreements, tier: 'slow', scopes: agreementScope },
  { name: 'tripartite_agreements.list', method: 'GET', path: agreements, tier: 'slow', scopes: agreementReadScope },
  {
    name: 'tripartite_agreements.update',
    method: 'PUT',
    path: `${agreements}/:id`,
    tier: 'slow',
    scopes: agreementScope,
  },
  {
    name: 'tripartite_agreements.delete',
    method: 'DELETE',
    path: `${agreements}/:id`,
    tier: 'slow',
    scopes: agreementScope,
  },
  { name: 'background_check_orders.list', method: 'GET', path: orders, tier: 'fast', scopes: orderReadScope },
  {
    name: 'background_check_orders.batch_query',
    method: 'POST',
    path: `${orders}/batch_query`,
    tier: 'slow',
    scopes: orderReadScope,
  },
  {
    name: 'auth.tenant_access_token.internal',
    method: 'POST',
    path: `${auth}/tenant_access_token/internal`,
    tier: 'none',
    scopes: [],
  },
  {
    name: 'auth.app_access_token.internal',
    method: 'POST',
    path: `${auth}/app_access_token/internal`,
    tier: 'none',
    scopes: [],
  },
  { name: 'auth.app_access_token', method: 'POST', path: `${auth}/app_access_token`, tier: 'none', scopes: [] },
  { name: 'auth.tenant_access_token', method: 'POST', path: `${auth}/tenant_access_token`, tier: 'none', scopes: [] },
  { name: 'auth.app_ticket.resend', method: 'POST', path: `${auth}/app_ticket/resend`, tier: 'none', scopes: [] },
] as const satisfies readonly ApiEntry[]

export type ApiName = (typeof apis)[number]['name']
export type AuthApiName = Extract<ApiName, `auth.${string}`>
export type HireApiName = Exclude<ApiName, AuthApiName>
export type Api = ApiEntry & { readonly name: ApiName }

export type Route =
  | { found: 'api'; api: Api; params: Record<string, string> }
  | { found: 'wrong_method' }
  | { found: 'wrong_path' }

export function findRoute(method: string, path: string): Route {
  let pathKnown = false
  for (const api of apis as readonly Api[]) {
    const params = matchPath(api.path, path)
    if (!params) continue
    if (api.method === method) return { found: 'api', api, params }
    pathKnown = true
  }
  return { found: pathKnown ? 'wrong_method' : 'wrong_path' }
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  if (!pattern.includes(':')) return pattern === path ? {} : undefined
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (wanted.length !== given.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? ''
    if (part.startsWith(':') && /^\d{1,32}$/.test(value)) params[part.slice(1)] = value
    else if (part !== value) return undefined
  }
  return params
}

export function isAuth(name: ApiName): name is AuthApiName {
  return name.startsWith('auth.')
}
