import type { FeishuApi } from './apis.js'

/** Who has to act on a dead delivery; `unconfirmed`: nobody knows whether it took effect. */
export type DeadClass = 'customer' | 'vendor' | 'feishu' | 'ours' | 'unconfirmed'

export type Verdict =
  | { kind: 'delivered'; confirmed: boolean; heldForApproval?: true }
  | { kind: 'superseded' }
  /** With a limit: dead as `atLimit`, or inferred to be delivered, when that many attempts were made. */
  | { kind: 'retry'; ambiguous: boolean; minDelayMs?: number; limit?: number; atLimit?: DeadClass | 'delivered' }
  /** Once; refused again with the fresh token it is dead as `deadAs`. */
  | { kind: 'refresh_token'; alsoAppToken: boolean; deadAs: DeadClass }
  | { kind: 'slow_down' }
  /** `family`: with the method all that share the first part of its name, since one thing stands in the way of all. */
  | { kind: 'hold'; scope: 'tenant' | 'app' | 'method'; family?: true }
  | { kind: 'dead'; class: DeadClass }
  /** Send the same set to `with`: 0 means that it is there. Once it was probed and is not there: dead as `deadAs`. */
  | { kind: 'probe'; with: 'custom_fields.batch_update'; deadAs: DeadClass }
  | { kind: 'adopt' }

export interface OutcomeRow {
  apis: readonly FeishuApi[] | 'any'
  /** `refused`: 400, or a code of Hire's with 200, which is how a refusal may also come (§3). */
  http: 'any' | 'refused' | '2xx' | '4xx' | '5xx' | number
  /** `gateway`: any of 9999xxxx, which come from before Hire. */
  code: number | 'gateway' | 'other'
  /** Only after an attempt of the same delivery whose outcome is not known, or only without one. */
  repeat?: boolean
  orderEndedHere?: boolean
  cancelKnown?: boolean
  verdict: Verdict
  reason: string
  source: string
}

export type Rest = Omit<OutcomeRow, 'apis' | 'http' | 'code' | 'verdict' | 'reason' | 'source'>

/** Codes that any API may answer before Hire sees the call; their HTTP status is not documented, so the code decides. */
export function gatewayRow(codes: readonly number[], verdict: Verdict, reason: string, source: string): OutcomeRow[] {
  return codes.map((code) => ({ apis: 'any', http: 'any', code, verdict, reason, source }))
}

export function row(
  apis: OutcomeRow['apis'],
  [http, code]: [OutcomeRow['http'], OutcomeRow['code']],
  verdict: Verdict,
  reason: string,
  source: string,
  rest: Rest = {},
): OutcomeRow {
  return { apis, http, code, ...rest, verdict, reason, source }
}

/** 1002001 with 200 may be a refusal or a failure of Feishu. */
export function isRefusal(httpStatus: number, code: number): boolean {
  const isHire = code >= 1002000 && code <= 1002999 && code !== 1002001
  return httpStatus === 400 || (httpStatus === 200 && isHire)
}

export function isGateway(code: number): boolean {
  return code >= 99990000 && code <= 99999999
}
