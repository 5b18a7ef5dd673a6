import { type DeadClass, gatewayRow, type OutcomeRow, type Rest, row, type Verdict } from './outcome-row.js'

/** Attempts for answers that a repeat may mend, but probably will not. */
const fewTimes = 5
const hour = 3_600_000

const confirmed: Verdict = { kind: 'delivered', confirmed: true }
const inferred: Verdict = { kind: 'delivered', confirmed: false }
const superseded: Verdict = { kind: 'superseded' }
const slowDown: Verdict = { kind: 'slow_down' }
const ambiguous: Verdict = { kind: 'retry', ambiguous: true }
const dead = (of: DeadClass): Verdict => ({ kind: 'dead', class: of })
const hold = (scope: 'tenant' | 'app' | 'method'): Verdict => ({ kind: 'hold', scope })
const refresh = (deadAs: DeadClass, alsoAppToken = false): Verdict => ({ kind: 'refresh_token', alsoAppToken, deadAs })

const orderApis = ['update_progress', 'update_result', 'cancel'] as const
const agreementWrites = [
  'tripartite_agreements.create',
  'tripartite_agreements.update',
  'tripartite_agreements.delete',
] as const

const isRepeat: Rest = { repeat: true }
const undocumented = 'an answer that is not documented'

const gatewayRows: OutcomeRow[] = [
  row('any', ['2xx', 0], confirmed, 'Feishu accepted it', '§3'),
  ...gatewayRow([99991400, 1000004, 1000005, 5000], slowDown, 'too many calls', '§4.1 [Rate, Err]'),
  ...gatewayRow([99991663, 99991665], refresh('feishu'), 'Feishu refuses a token that it has just given', '§4.3 [Err]'),
  ...gatewayRow([99991664], refresh('feishu', true), 'Feishu refuses a fresh app access token', '§4.3 [Err, GoSDK]'),
  ...gatewayRow([99991671], refresh('ours'), 'Feishu calls a fresh token malformed', '§4.3 [GoSDK]'),
  ...gatewayRow([99991668], refresh('ours'), 'Feishu takes the token for one of a user', '§4.3 [Err]'),
  ...gatewayRow([10012], refresh('feishu', true), 'Feishu gives no app access token', '§4.3 [Err, GoSDK]'),
  ...gatewayRow([10013], { kind: 'retry', ambiguous: false }, 'Feishu gives no tenant access token', '§4.3 [Err]'),
  ...gatewayRow([99991661], dead('ours'), 'the call had no token', '§4.3 [Err]'),
  ...gatewayRow([99991669, 99991677, 99991679], dead('ours'), 'the API wants a token of a user', '§4.3 [Err]'),
  ...gatewayRow([10014], hold('app'), 'the app is not available in Feishu', '§4.3 [Err]'),
  ...gatewayRow([10015], hold('app'), 'the app secret is wrong', '§4.3 [Err]'),
  ...gatewayRow(
    [10003, 10016],
    dead('ours'),
    'Feishu calls a parameter of the token request wrong',
    '§4.3 [Err], §4.2',
  ),
  ...gatewayRow([10005], hold('tenant'), 'the app is not authorised in this tenant', '§4.3 [Err]'),
  ...gatewayRow(
    [20009, 99991662, 99991673],
    hold('tenant'),
    'the app is not installed or is disabled in this tenant',
    '§4.3 [Err]',
  ),
  ...gatewayRow([99991672], hold('method'), 'the app lacks a scope that this API needs', '§4.3 [Err]'),
  ...gatewayRow([99991401], hold('app'), 'our address is not in the app’s list of allowed addresses', '§4.3 [Err]'),
  ...gatewayRow([99991403], hold('app'), 'the monthly quota of API calls is used up', '§4.1 [Quota, Err]'),
  ...gatewayRow([99991201, 99991301], dead('ours'), 'Feishu does not know this path or method', '§4.3 [Err]'),
  ...gatewayRow(
    [99992402],
    dead('ours'),
    'Feishu calls a field of the request missing or malformed',
    '§3.10 [Err], §3.11',
  ),
  row('any', [429, 'other'], slowDown, 'too many calls', '§4.1 [Rate]'),
  row('any', [401, 'other'], refresh('ours'), 'Feishu refuses our credentials', 'by analogy to §4.3'),
  row('any', ['4xx', 'gateway'], dead('unconfirmed'), undocumented, 'decided here', isRepeat),
  row('any', ['4xx', 'gateway'], dead('ours'), undocumented, 'decided here'),
]

/** The rules for the answer to a repeat, docs/feishu.md §3.11 rule 2. Gateway refusals above say nothing about the first. */
const repeatRows: OutcomeRow[] = [
  row(['update_progress'], ['any', 1002858], superseded, 'the order has ended', '§3.11', {
    repeat: true,
    orderEndedHere: true,
  }),
  row(['update_progress'], ['any', 1002862], dead('feishu'), 'Feishu does not know this order', '§3.11', isRepeat),
  row(
    ['update_progress'],
    ['any', 1002858],
    inferred,
    'an earlier attempt was taken or the order is closed',
    '§3.11',
    isRepeat,
  ),
  row(
    ['update_progress'],
    ['refused', 'other'],
    inferred,
    'an earlier attempt was taken or the order is closed',
    '§3.11',
    isRepeat,
  ),
  row(
    ['update_result'],
    ['any', 1002863],
    { ...confirmed, heldForApproval: true },
    'Feishu holds it for approval',
    '§3.11',
    isRepeat,
  ),
  row(['update_result'], ['any', 1002858], superseded, 'the order was canceled', '§3.11', {
    repeat: true,
    cancelKnown: true,
  }),
  row(['update_result'], ['any', 1002858], inferred, 'an earlier attempt completed the order', '§3.11', isRepeat),
  row(['cancel'], ['any', 1002862], dead('feishu'), 'Feishu does not know this order', '§3.11', isRepeat),
  row(['cancel'], ['any', 1002858], confirmed, 'the order is closed', '§3.11', isRepeat),
  row(['cancel'], ['refused', 'other'], confirmed, 'the order is closed', '§3.11', isRepeat),
  row(['packages.batch_delete'], ['any', 1002859], confirmed, 'the packages are gone', '§3.11', isRepeat),
  row(['custom_fields.batch_delete'], ['any', 1002860], confirmed, 'the fields are gone', '§3.11', isRepeat),
  row(
    ['tripartite_agreements.create'],
    ['any', 1002080],
    { kind: 'adopt' },
    'the agreement is there',
    '§3.11',
    isRepeat,
  ),
  row(
    ['tripartite_agreements.delete'],
    ['any', 1002075],
    inferred,
    'the agreement is gone',
    '§3.10, by analogy',
    isRepeat,
  ),
]

const orderState = 'order state: Feishu has closed this order'
const noOrder = 'Feishu does not know this order under this app and tenant'
const noAgreement = 'Feishu does not know this agreement'
const unknownFields = 'Feishu does not know an account, package or field that is named'

/** What Hire itself answers, docs/feishu.md §3.10. */
const hireRows: OutcomeRow[] = [
  row(
    ['custom_fields.batch_update', 'packages.create', 'packages.batch_update'],
    [400, 1002001],
    dead('vendor'),
    unknownFields,
    '§3.10',
  ),
  row(
    ['custom_fields.batch_update', 'packages.create', 'packages.batch_update'],
    ['2xx', 1002001],
    { kind: 'retry', ambiguous: false, limit: fewTimes, atLimit: 'vendor' },
    unknownFields,
    '§3, §3.10',
  ),
  row(
    ['account_custom_fields.batch_update', 'account_custom_fields.batch_delete'],
    ['5xx', 1002001],
    { kind: 'retry', ambiguous: false, limit: fewTimes, atLimit: 'vendor' },
    'a system error, or a field that does not exist or cannot be deleted',
    '§3.10 [Explorer]',
  ),
  row('any', ['5xx', 1002001], ambiguous, 'a system error of Feishu', '§3.10, §3.11'),
  row('any', ['any', 1002002], dead('ours'), 'Feishu calls a parameter wrong', '§3.10'),
  row(
    ['tripartite_agreements.update', 'tripartite_agreements.delete'],
    ['any', 1002075],
    dead('feishu'),
    noAgreement,
    '§3.10',
  ),
  row(
    agreementWrites,
    ['any', 1002076],
    { kind: 'hold', scope: 'method', family: true },
    'the tenant does not let agreements be kept through the API',
    '§3.10',
  ),
  row(['tripartite_agreements.create'], ['any', 1002077], dead('customer'), 'not a campus recruiting process', '§3.10'),
  row(
    ['tripartite_agreements.create'],
    ['any', 1002078],
    dead('customer'),
    'the work location is outside mainland China',
    '§3.10',
  ),
  row(['tripartite_agreements.create'], ['any', 1002080], { kind: 'adopt' }, 'the agreement is there already', '§3.10'),
  row(
    ['custom_fields.create'],
    ['any', 1002855],
    { kind: 'probe', with: 'custom_fields.batch_update', deadAs: 'vendor' },
    'the account has other fields already: delete them and use new keys',
    '§3.5, §3.10',
  ),
  row(['update_progress'], ['any', 1002858], superseded, 'the order has ended', '§3.10', { orderEndedHere: true }),
  row(orderApis, ['any', 1002858], superseded, 'the order was canceled', '§3.10', { cancelKnown: true }),
  row(orderApis, ['any', 1002858], dead('feishu'), orderState, '§3.10, §3.4'),
  row(['packages.batch_delete'], ['any', 1002859], confirmed, 'the packages are gone', '§3.10'),
  row(
    ['custom_fields.batch_delete'],
    ['any', 1002860],
    dead('feishu'),
    'Feishu does not let these fields be deleted',
    '§3.10',
  ),
  row(orderApis, ['any', 1002862], dead('feishu'), noOrder, '§3.10'),
  row(
    ['update_result'],
    ['any', 1002863],
    { kind: 'retry', ambiguous: false, minDelayMs: hour },
    'another result of this order waits for approval',
    '§3.10 [Explorer]',
  ),
]

const otherRows: OutcomeRow[] = [
  row('any', [408, 'other'], ambiguous, 'Feishu did not get the whole request in time', '§3.11'),
  row('any', ['5xx', 'other'], ambiguous, 'a failure of Feishu', '§3.11'),
  row(
    ['update_progress', 'cancel'],
    ['2xx', 'other'],
    { kind: 'retry', ambiguous: false, limit: fewTimes, atLimit: 'delivered' },
    'a refusal of a repeat, or a failure of Feishu that comes with 200',
    '§3, §3.11',
    isRepeat,
  ),
  row('any', ['4xx', 'other'], dead('unconfirmed'), undocumented, 'decided here', isRepeat),
  row('any', ['4xx', 'other'], dead('ours'), undocumented, 'decided here'),
  row(
    'any',
    ['any', 'other'],
    { kind: 'retry', ambiguous: false, limit: fewTimes, atLimit: 'unconfirmed' },
    undocumented,
    'decided here',
    isRepeat,
  ),
  row(
    'any',
    ['any', 'other'],
    { kind: 'retry', ambiguous: false, limit: fewTimes, atLimit: 'ours' },
    undocumented,
    'decided here',
  ),
]

/**
 * What an answer of Feishu means; the first row that fits holds. Sections are those of docs/feishu.md, tags its
 * sources. The same code means different things at different APIs, and a status may differ from the documented one.
 */
export const outcomeRows: readonly OutcomeRow[] = [...gatewayRows, ...repeatRows, ...hireRows, ...otherRows]
