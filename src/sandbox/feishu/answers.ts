/** An answer before it is written: `http` is the status of contract §3.10, which switches may change. */
export type Answer = {
  code: number
  msg: string
  http: number
  /** Below `data`. */
  data?: Record<string, unknown>
  /** At the top level: the token endpoints answer there (contract §4.2). */
  flat?: Record<string, unknown>
  /** More of the failure's `error` object. */
  error?: Record<string, unknown>
  headers?: Record<string, string>
  /** Whether state changed. */
  applied: boolean
}

/** Codes with their HTTP status and meaning: contract §3.10 and §4.3. */
const refusals = {
  systemError: { code: 1002001, http: 500, msg: 'system error' },
  parameterOrSystemError: { code: 1002001, http: 400, msg: 'parameter or system error' },
  parameterError: { code: 1002002, http: 400, msg: 'parameter error' },
  agreementNotFound: { code: 1002075, http: 400, msg: 'tripartite agreement does not exist' },
  agreementSwitchOff: { code: 1002076, http: 400, msg: 'maintaining tripartite agreements through the API is off' },
  notCampus: { code: 1002077, http: 400, msg: 'not a campus recruiting application' },
  notMainland: { code: 1002078, http: 400, msg: 'the work location of the offer is outside mainland China' },
  agreementExists: { code: 1002080, http: 400, msg: 'tripartite agreement already exists' },
  fieldExists: { code: 1002855, http: 400, msg: 'custom field exists, creation not allowed' },
  notInThisState: { code: 1002858, http: 400, msg: 'the state of the background check does not allow it' },
  packageNotFound: { code: 1002859, http: 400, msg: 'package not found' },
  fieldNotDeletable: { code: 1002860, http: 400, msg: 'custom field cannot be deleted' },
  orderNotFound: { code: 1002862, http: 400, msg: 'background check does not exist' },
  inApproval: { code: 1002863, http: 500, msg: 'background check is being approved' },
  invalidField: { code: 99992402, http: 400, msg: 'field validation failed' },
  noToken: { code: 99991661, http: 400, msg: 'Missing access token for authorization' },
  tenantTokenInvalid: { code: 99991663, http: 400, msg: 'Invalid access token for authorization' },
  appTokenInvalid: { code: 99991664, http: 400, msg: 'app access token invalid' },
  userTokenInvalid: { code: 99991668, http: 400, msg: 'user access token invalid' },
  tokenMalformed: { code: 99991671, http: 400, msg: 'invalid access token, it must start with t- or u-' },
  missingScope: { code: 99991672, http: 403, msg: 'Access denied. One of the scopes is required' },
  tenantNotInstalled: { code: 20009, http: 400, msg: 'the tenant has not installed the app' },
  tenantDisabled: { code: 99991662, http: 400, msg: 'the app is disabled in the tenant' },
  tenantUnavailable: { code: 99991673, http: 400, msg: 'the app is unavailable in the tenant' },
  badTokenRequest: { code: 10003, http: 400, msg: 'invalid parameter' },
  appTicketInvalid: { code: 10012, http: 400, msg: 'cannot get the app token: app_ticket invalid' },
  appUnavailable: { code: 10014, http: 400, msg: 'app unavailable' },
  wrongSecret: { code: 10015, http: 400, msg: 'app secret invalid' },
  resendForCustomApp: { code: 10016, http: 400, msg: 'app_ticket is for store apps' },
  wrongPath: { code: 99991201, http: 404, msg: 'no such path' },
  wrongMethod: { code: 99991301, http: 405, msg: 'method not allowed for this path' },
  rateLimited: { code: 99991400, http: 429, msg: 'request trigger frequency limit' },
} as const

export type RefusalName = keyof typeof refusals

/** A refusal with the reason in words: what was expected and what came. */
export function refuse(name: RefusalName, detail?: string, error?: Record<string, unknown>): Answer {
  const { code, http, msg } = refusals[name]
  return { code, http, msg: detail ? `${msg}: ${detail}` : msg, applied: false, ...(error ? { error } : {}) }
}

export function accept(data?: Record<string, unknown>, { applied = true }: { applied?: boolean } = {}): Answer {
  return { code: 0, http: 200, msg: 'success', applied, ...(data ? { data } : {}) }
}

/** Token, app, tenant and scope errors: their HTTP status is a switch. */
export function isTokenError(code: number): boolean {
  return (
    (code >= 99991661 && code <= 99991673) || (code >= 10003 && code <= 10016) || code === 20009 || code === 99991677
  )
}
