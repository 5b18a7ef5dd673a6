import { type RateLimit, worstCount } from '../support/windows.js'
import { type ApiName, apis } from './apis.js'
import type { CallRecord } from './journal.js'

export type Violation = {
  rule:
    | 'stage_accepted_twice'
    | 'stage_time_not_increasing'
    | 'stage_changed_between_attempts'
    | 'stages_out_of_order'
    | 'result_accepted_twice'
    | 'accepted_after_the_end'
    | 'attempted_after_the_end'
    | 'sent_without_a_word'
    | 'window_exceeded'
  backgroundCheckId?: string
  tenantKey?: string
  detail: string
  /** Numbers of the calls concerned, as in the journal. */
  calls: number[]
}

export type JournalView = {
  calls: readonly CallRecord[]
  rateLimits: readonly RateLimit[]
  slowRateLimits: readonly RateLimit[]
}

export type PromiseOptions = {
  /** When the service was killed: a call that was answered before may be repeated after. Milliseconds since the epoch. */
  crashedAt?: readonly number[]
  /** Orders in which an operator sent something again: what holds for the service by itself is not asked of them. */
  operatorOrders?: readonly string[]
  /** Single calls that an operator asked for: they are allowed where they are named, and nothing else is. */
  operatorWords?: readonly OperatorWord[]
  /** The vendor's stages of each order, as `stage_id`s in the vendor's order. */
  vendorStages?: Readonly<Record<string, readonly string[]>>
}

/** What an operator wanted at `at` (milliseconds since the epoch): calls may follow from it, and one of them takes effect. */
type OperatorWord = { backgroundCheckId: string; at: number } & (
  | { does: 'resend_result' }
  /** `stageId`: the new one, in place of `resends`. */
  | { does: 'resend_stage'; stageId: string; resends: string }
  /** `stageId`: of the last stage, where there is one. */
  | { does: 'cancel'; stageId?: string }
)

type Sent = CallRecord & { backgroundCheckId: string }
const orderApis: readonly (ApiName | undefined)[] = ['update_progress', 'update_result', 'cancel']

/** Looks for everything in the journal that the service promises not to happen (ARCHITECTURE.md). */
export function checkPromises(journal: JournalView, options: PromiseOptions = {}): Violation[] {
  const byOrder = groupBy(journal.calls.filter(isSent), (call) => `${call.tenantKey}|${call.backgroundCheckId}`)
  const excused = new Set(options.operatorOrders)
  const orders = [...byOrder.values()].filter((calls) => !excused.has(calls[0]?.backgroundCheckId ?? ''))
  return [...orders.flatMap((calls) => checkOrder(calls, options)), ...checkWindows(journal)]
}

function isSent(call: CallRecord): call is Sent {
  return orderApis.includes(call.api) && call.backgroundCheckId !== undefined
}

function checkOrder(calls: readonly Sent[], options: PromiseOptions): Violation[] {
  return [
    ...checkStages(calls),
    ...checkSameness(calls),
    ...checkVendorOrder(calls, options),
    ...checkWords(calls, options),
    ...checkResults(calls, options),
    ...checkAfterTheEnd(calls, options),
  ]
}

function checkStages(calls: readonly Sent[]): Violation[] {
  const accepted = calls.filter((call) => call.api === 'update_progress' && call.applied)
  const found: Violation[] = []
  for (const [index, call] of accepted.entries()) {
    const before = accepted.slice(0, index)
    const twin = before.find((other) => field(other, 'stage_id') === field(call, 'stage_id'))
    if (twin) found.push(violation('stage_accepted_twice', `stage ${field(call, 'stage_id')}`, [twin, call]))
    const previous = before.at(-1)
    if (previous && Number(field(call, 'stage_time')) <= Number(field(previous, 'stage_time'))) {
      const times = `${field(call, 'stage_time')} came after ${field(previous, 'stage_time')}`
      found.push(violation('stage_time_not_increasing', times, [previous, call]))
    }
  }
  return found
}

/** `stage_id` and `stage_time` stay through every attempt (contract §3.2). */
function checkSameness(calls: readonly Sent[]): Violation[] {
  const attempts = groupBy(
    calls.filter((call) => call.api === 'update_progress'),
    (call) => field(call, 'stage_id'),
  )
  return [...attempts].flatMap(([stageId, list]) => {
    const first = list[0]
    const other = list.find((call) => first && field(call, 'stage_time') !== field(first, 'stage_time'))
    if (!first || !other) return []
    const times = `${field(first, 'stage_time')} became ${field(other, 'stage_time')}`
    return [violation('stage_changed_between_attempts', `stage_time of stage ${stageId}: ${times}`, [first, other])]
  })
}

function wordsFor(calls: readonly Sent[], { operatorWords = [] }: PromiseOptions): OperatorWord[] {
  return operatorWords.filter((word) => word.backgroundCheckId === calls[0]?.backgroundCheckId)
}

function checkVendorOrder(calls: readonly Sent[], options: PromiseOptions): Violation[] {
  const expected = options.vendorStages?.[calls[0]?.backgroundCheckId ?? '']
  if (!expected) return []
  const ofOperator = new Set(wordsFor(calls, options).map((word) => ('stageId' in word ? word.stageId : undefined)))
  const accepted = calls.filter(
    (call) => call.api === 'update_progress' && call.applied && !ofOperator.has(field(call, 'stage_id')),
  )
  const places = accepted.map((call) => expected.indexOf(field(call, 'stage_id')))
  const wrong = accepted.filter((_, index) => (places[index] ?? -1) <= Math.max(-1, ...places.slice(0, index)))
  if (wrong.length === 0) return []
  const came = accepted.map((call) => field(call, 'stage_id')).join(', ')
  return [violation('stages_out_of_order', `expected ${expected.join(', ')}; ${came} came`, wrong)]
}

/** A stage that an operator has sent comes after the word for it, and after the stage in whose place it comes. */
function checkWords(calls: readonly Sent[], options: PromiseOptions): Violation[] {
  return wordsFor(calls, options).flatMap((word) => {
    if (!('stageId' in word)) return []
    const early = calls.find((call) => field(call, 'stage_id') === word.stageId && call.at < word.at)
    if (early)
      return [violation('sent_without_a_word', `stage ${word.stageId} came before the operator's word`, [early])]
    if (word.does !== 'resend_stage') return []
    const again = calls.find((call) => field(call, 'stage_id') === word.stageId)
    const first = calls.find((call) => field(call, 'stage_id') === word.resends)
    if (!again || (first && first.seq < again.seq)) return []
    return [violation('sent_without_a_word', `stage ${word.stageId} came again before ${word.resends}`, [again])]
  })
}

/** One, and one more for each time that an operator wanted it after one was accepted. */
function checkResults(calls: readonly Sent[], options: PromiseOptions): Violation[] {
  const accepted = calls.filter((call) => call.api === 'update_result' && call.applied)
  const first = accepted[0]
  const wanted = wordsFor(calls, options).filter(
    (word) => word.does === 'resend_result' && first && word.at >= first.at,
  )
  return accepted.length > 1 + wanted.length
    ? [violation('result_accepted_twice', `${accepted.length} results`, accepted)]
    : []
}

/**
 * After a result or cancel that took effect, only the same call may come again, and only where its answer may have been
 * lost. An end that the customer made is not in the journal: a call that crosses it is nobody's fault.
 */
function checkAfterTheEnd(calls: readonly Sent[], options: PromiseOptions): Violation[] {
  const { crashedAt = [] } = options
  const words = wordsFor(calls, options)
  const endings = calls.filter((call) => call.applied && call.api !== 'update_progress')
  return endings.flatMap((end) =>
    calls
      .filter((call) => call.seq > end.seq && !isAllowedRepeat(end, call, crashedAt) && !isWanted(end, call, words))
      .map((call) =>
        violation(call.applied ? 'accepted_after_the_end' : 'attempted_after_the_end', afterwards(end, call), [
          end,
          call,
        ]),
      ),
  )
}

/** Behind a result an operator may have another one sent, or the order canceled; behind a cancel nothing. */
function isWanted(end: Sent, call: Sent, words: readonly OperatorWord[]): boolean {
  if (end.api !== 'update_result') return false
  const wanted = call.api === 'update_result' ? 'resend_result' : call.api === 'cancel' ? 'cancel' : undefined
  return words.some((word) => word.does === wanted && word.at >= end.at && word.at <= call.at)
}

function isAllowedRepeat(end: Sent, call: Sent, crashedAt: readonly number[]): boolean {
  if (call.api !== end.api || call.applied) return false
  if (field(call, 'result') !== field(end, 'result')) return false
  const killedBetween = crashedAt.some((at) => at >= end.at && at <= call.at)
  return !wasToldSo(end) || killedBetween
}

/** Whether the caller was told that the call took effect. */
function wasToldSo({ answered, code, httpStatus }: CallRecord): boolean {
  return answered && code === 0 && httpStatus === 200
}

function afterwards(end: Sent, call: Sent): string {
  return `${call.api} came after ${end.api} had taken effect`
}

function checkWindows({ calls, rateLimits, slowRateLimits }: JournalView): Violation[] {
  const counted = calls.filter((call) => call.api !== undefined && call.tenantKey !== undefined)
  const buckets = groupBy(counted, (call) => `${call.appId}|${call.tenantKey}|${call.api}`)
  return [...buckets.values()].flatMap((list) => {
    const tier = apis.find((api) => api.name === list[0]?.api)?.tier
    const limits = tier === 'none' ? [] : tier === 'slow' ? slowRateLimits : rateLimits
    return limits.flatMap((limit) => checkWindow(list, limit))
  })
}

function checkWindow(calls: readonly CallRecord[], { limit, windowMs }: RateLimit): Violation[] {
  const arrivals = calls.map((call) => call.at)
  const worst = worstCount(arrivals, windowMs)
  const first = calls[0]
  if (worst <= limit || !first) return []
  const detail = `${first.api} of app ${first.appId} in tenant ${first.tenantKey}: ${worst} in ${windowMs} ms, at most ${limit}`
  return [{ rule: 'window_exceeded', detail, calls: [], ...(first.tenantKey ? { tenantKey: first.tenantKey } : {}) }]
}

function violation(rule: Violation['rule'], detail: string, calls: readonly Sent[]): Violation {
  const { backgroundCheckId = '', tenantKey = '' } = calls[0] ?? {}
  return { rule, backgroundCheckId, tenantKey, detail, calls: calls.map((call) => call.seq) }
}

function field(call: CallRecord, name: string): string {
  return String((call.body as Record<string, unknown> | undefined)?.[name])
}

function groupBy<T>(list: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of list) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}
