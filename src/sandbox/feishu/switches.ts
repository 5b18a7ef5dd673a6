import { NotThere, Refused } from '../support/refusals.js'

/**
 * Where the contract says UNKNOWN, the real Feishu may do either. Each switch is one such place, so that a service can be
 * tried against all of them. Numbers are those of the register of unknowns (contract §7). Services never read them.
 */
export type Switches = {
  /** §7.10 The answer to a `stage_id` that the order already has. `accept_silently`: code 0, and nothing changes. */
  duplicateStage: 'refuse_1002001_400' | 'refuse_1002002_400' | 'refuse_1002858' | 'accept_silently'
  /** §7.10 The answer to a `stage_time` that is not later than the order's last. `accept`: it is taken as it is. */
  staleStageTime: 'refuse_1002001_400' | 'refuse_1002002_400' | 'refuse_1002858' | 'accept'
  /** §7.2 Whether a redelivery has a fresh timestamp, nonce and signature, or those of the first attempt. */
  resignRedeliveries: boolean
  /** §7.2 The unit of `X-Lark-Request-Timestamp`. */
  timestampUnit: 's' | 'ms'
  /** §2 (duplicates) Whether an event that was acknowledged comes once more, after the first of the retry delays. */
  repeatAcknowledged: boolean
  /** §7.17 A second create of custom fields: the page says replacement, the Explorer says 1002855. */
  customFieldsCreate: 'replace' | 'refuse_1002855'
  /** §3.6, §7.19 A further create of packages: the page says that it appends. */
  packagesCreate: 'append' | 'replace'
  /** §3.3 Whether results wait for an administrator, in tenants that do not say it themselves. */
  reportApproval: boolean
  /** §7.14 A result for an order whose earlier one was rejected or withdrawn. */
  resultAfterRejection: 'accept' | 'refuse_1002858'
  /** §7.21 Whether a vendor may read orders; else 99991672. */
  orderReads: boolean
  /** §7.9 Whether the vendor's own cancel comes back as a `canceled` event. */
  cancelEcho: boolean
  /** §7.16 A cancel of an order that is completed or terminated. */
  cancelOnClosed: 'ok' | 'refuse_1002858'
  /** §7.24 Whether an app_ticket still works once a newer one was pushed. */
  oldAppTickets: 'accepted' | 'refused'
  /** §4.1 The HTTP status of 99991400. */
  rateLimitStatus: 429 | 400
  /** §7.23 Whether a limited call is told when to come back, and whether in whole seconds. */
  rateLimitHeaders: 'present' | 'absent' | 'fractional'
  /** §3, §7.27 The HTTP status of refusals that the contract lists with 400. */
  businessErrorHttp: 400 | 200
  /** §3, §7.27 The HTTP status of token, app and scope errors. */
  tokenErrorHttp: 400 | 401 | 200
}

/** Every switch with each of its values; the first is the default. */
export const switchVariants: { readonly [Name in keyof Switches]: readonly Switches[Name][] } = {
  duplicateStage: ['refuse_1002001_400', 'refuse_1002002_400', 'refuse_1002858', 'accept_silently'],
  staleStageTime: ['refuse_1002001_400', 'refuse_1002002_400', 'refuse_1002858', 'accept'],
  resignRedeliveries: [true, false],
  timestampUnit: ['s', 'ms'],
  repeatAcknowledged: [false, true],
  customFieldsCreate: ['replace', 'refuse_1002855'],
  packagesCreate: ['append', 'replace'],
  reportApproval: [false, true],
  resultAfterRejection: ['accept', 'refuse_1002858'],
  orderReads: [true, false],
  cancelEcho: [false, true],
  cancelOnClosed: ['refuse_1002858', 'ok'],
  oldAppTickets: ['accepted', 'refused'],
  rateLimitStatus: [429, 400],
  rateLimitHeaders: ['present', 'absent', 'fractional'],
  businessErrorHttp: [400, 200],
  tokenErrorHttp: [400, 401, 200],
}

export const switchNames = Object.keys(switchVariants) as Array<keyof Switches>

/** Every switch value as a setting of its own: `[{ duplicateStage: 'refuse_1002001_400' }, …]`. */
export const switchSettings: ReadonlyArray<Partial<Switches>> = switchNames.flatMap((name) =>
  switchVariants[name].map((value) => ({ [name]: value })),
)

export function defaultSwitches(): Switches {
  return Object.fromEntries(switchNames.map((name) => [name, switchVariants[name][0]])) as Switches
}

/** Changes `switches` in place; refuses names and values that do not exist. */
export function applySwitches(switches: Switches, changes: Partial<Switches>): void {
  for (const [name, value] of Object.entries(changes)) {
    const allowed: readonly unknown[] | undefined = Object.hasOwn(switchVariants, name)
      ? switchVariants[name as keyof Switches]
      : undefined
    if (!allowed) throw new NotThere(`no such switch: ${name}; there are ${switchNames.join(', ')}`)
    if (!allowed.includes(value)) {
      throw new Refused(`switch ${name} may be ${allowed.join(', ')}; it came as ${String(value)}`)
    }
  }
  Object.assign(switches, changes)
}
