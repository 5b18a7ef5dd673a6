import { describe, expect, test } from 'vitest'
import { type CallRecord, checkPromises, type PromiseOptions } from '../../src/sandbox/index.js'

type Api = NonNullable<CallRecord['api']>
const id = '7400000000000000202'
let seq = 0

function call(api: Api, body: Record<string, unknown>, more: Partial<CallRecord> = {}): CallRecord {
  seq++
  const at = 1_767_315_600_000 + seq * 100
  return {
    seq,
    at,
    api,
    appId: 'cli_1',
    tenantKey: 'tk_1',
    backgroundCheckId: id,
    method: 'POST',
    path: '/',
    query: {},
    body: { background_check_id: id, ...body },
    code: 0,
    httpStatus: 200,
    logId: 'x',
    applied: true,
    answered: true,
    ...more,
  }
}
const stage = (number: number, more: Partial<CallRecord> = {}) =>
  call('update_progress', { stage_id: `st-${number}`, stage_time: String(1_767_315_600_000 + number) }, more)
const result = (more: Partial<CallRecord> = {}) => call('update_result', { result: '绿灯' }, more)
const cancel = (more: Partial<CallRecord> = {}) => call('cancel', {}, more)
const lost: Partial<CallRecord> = { answered: false }
const refused: Partial<CallRecord> = { applied: false, code: 1002858, httpStatus: 400 }

function rules(calls: CallRecord[], options?: PromiseOptions): string[] {
  const limits = { rateLimits: [{ limit: 50, windowMs: 1000 }], slowRateLimits: [{ limit: 10, windowMs: 1000 }] }
  return checkPromises({ calls, ...limits }, options).map(({ rule }) => rule)
}

describe('finds nothing wrong in', () => {
  test.each<[string, CallRecord[]]>([
    ['stages in order, then the result', [stage(1), stage(2), result()]],
    ['a stage that is refused and comes again', [stage(1, { applied: false, code: 99991400 }), stage(1)]],
    ['a lost answer and its repeat', [stage(1, lost), stage(1, refused), stage(2)]],
    ['a result whose answer was lost, repeated', [stage(1), result(lost), result(refused)]],
    [
      'a result that was answered 500 although it took effect',
      [result({ code: 1002001, httpStatus: 500 }), result(refused)],
    ],
    ['a cancel whose answer was lost, repeated', [cancel(lost), cancel(refused)]],
    ['progress that crossed a cancel by the customer', [stage(1), stage(2, refused)]],
    ['a stage that was left out', [stage(1), stage(3), result()]],
  ])('%s', (_, calls) => {
    expect(rules(calls, { vendorStages: { [id]: ['st-1', 'st-2', 'st-3'] } })).toEqual([])
  })
})

describe('finds', () => {
  test.each<[string, CallRecord[], string[]]>([
    ['a stage accepted twice', [stage(1), stage(2), stage(1)], ['stage_accepted_twice', 'stage_time_not_increasing']],
    ['a time that does not increase', [stage(2), stage(1)], ['stage_time_not_increasing']],
    ['two results', [result(), result()], ['result_accepted_twice', 'accepted_after_the_end']],
    [
      'a lost result that is accepted again',
      [result(lost), result()],
      ['result_accepted_twice', 'accepted_after_the_end'],
    ],
    ['progress accepted after the result', [result(), stage(1)], ['accepted_after_the_end']],
    ['progress tried after the result', [result(), stage(1, refused)], ['attempted_after_the_end']],
    ['a result tried after a cancel', [cancel(), result(refused)], ['attempted_after_the_end']],
    ['a result repeated though it was answered', [result(), result(refused)], ['attempted_after_the_end']],
    [
      'another result after a lost one',
      [result(lost), call('update_result', { result: '红灯' }, refused)],
      ['attempted_after_the_end'],
    ],
  ])('%s', (_, calls, expected) => {
    expect(rules(calls)).toEqual(expected)
  })

  test('a stage_time that changed between attempts', () => {
    const other = call('update_progress', { stage_id: 'st-1', stage_time: '1767315699999' })
    expect(rules([stage(1, { applied: false }), other])).toEqual(['stage_changed_between_attempts'])
  })

  test('stages in another order than the vendor has', () => {
    const options = { vendorStages: { [id]: ['st-2', 'st-1'] } }
    expect(rules([stage(1), stage(2)], options)).toEqual(['stages_out_of_order'])
    expect(rules([stage(1), stage(5)], { vendorStages: { [id]: ['st-1'] } })).toEqual(['stages_out_of_order'])
  })

  test('a window that was exceeded, refused calls counted', () => {
    const burst = (count: number, everyMs: number, api: Api) =>
      Array.from({ length: count }, (_, index) =>
        call(api, {}, { at: 1000 + index * everyMs, backgroundCheckId: String(index), applied: false, code: 99991400 }),
      )
    expect(rules(burst(51, 19, 'update_progress'))).toEqual(['window_exceeded'])
    expect(rules(burst(51, 20, 'update_progress'))).toEqual([])
    expect(rules(burst(11, 99, 'tripartite_agreements.update'))).toEqual(['window_exceeded'])
    expect(rules(burst(51, 1, 'auth.app_access_token'))).toEqual([])
  })
})

test('excuses a repeat after a crash, and nothing else', () => {
  const calls = [result(), result(refused)]
  const [first] = calls
  const crashedAt = [(first?.at ?? 0) + 1]
  expect(rules(calls, { crashedAt })).toEqual([])
  expect(rules(calls, { crashedAt: [(first?.at ?? 0) - 1] })).toEqual(['attempted_after_the_end'])
  expect(rules([...calls, stage(1, refused)], { crashedAt })).toEqual(['attempted_after_the_end'])
})

test("leaves out an operator's orders, and keeps tenants apart", () => {
  expect(rules([stage(1), stage(1)], { operatorOrders: [id] })).toEqual([])
  expect(rules([stage(1), stage(1, { tenantKey: 'tk_2' })])).toEqual([])
})

describe('with the word of an operator', () => {
  const wanted = (calls: CallRecord[], index: number) => calls[index]?.at ?? 0
  const order = { backgroundCheckId: id }
  const vendorStages = { [id]: ['st-1', 'st-2'] }

  test('takes a result that comes again after it, and a repeat of its lost call', () => {
    const calls = [
      stage(1),
      result(),
      result({ ...lost, at: 1_900_000_000_000 }),
      result({ ...refused, at: 1_900_000_000_001 }),
    ]
    const word = { ...order, at: wanted(calls, 1) + 1, does: 'resend_result' } as const
    expect(rules(calls, { operatorWords: [word] })).toEqual([])
    expect(rules(calls, { operatorWords: [{ ...word, backgroundCheckId: '1' }] })).toContain('result_accepted_twice')
  })

  test('takes neither a result from before the word, nor two for one word, nor a stage behind a result', () => {
    const calls = [result(), result(), result()]
    const late = { ...order, at: wanted(calls, 1) + 1, does: 'resend_result' } as const
    expect(rules(calls, { operatorWords: [late] })).toContain('accepted_after_the_end')
    const early = { ...late, at: wanted(calls, 0) + 1 }
    expect(rules(calls, { operatorWords: [early] })).toEqual(['result_accepted_twice', 'accepted_after_the_end'])
    expect(rules(calls, { operatorWords: [early, late] })).toEqual([])
    const staged = [stage(1), result(), stage(2)]
    const word = {
      ...order,
      at: wanted(staged, 1) + 1,
      does: 'resend_stage',
      stageId: 'st-2',
      resends: 'st-1',
    } as const
    expect(rules(staged, { operatorWords: [word] })).toEqual(['accepted_after_the_end'])
  })

  test('takes a cancel behind a result, and nothing behind a cancel', () => {
    const calls = [result(), cancel()]
    const word = { ...order, at: wanted(calls, 0) + 1, does: 'cancel' } as const
    expect(rules(calls, { operatorWords: [word] })).toEqual([])
    expect(rules(calls)).toEqual(['accepted_after_the_end'])
    const further = [...calls, result(refused)]
    const again = { ...word, does: 'resend_result' } as const
    expect(rules(further, { operatorWords: [word, again] })).toEqual(['attempted_after_the_end'])
  })

  test('takes a stage in the place of another, once, after it, and no other stage', () => {
    const calls = [stage(1), stage(3), stage(2)].map((call, index) =>
      index === 1
        ? { ...call, body: { ...(call.body as object), stage_id: 'st-1-2', stage_time: '1767315600001500' } }
        : call,
    )
    const inOrder = [calls[0], calls[2], { ...calls[1], seq: ++seq }] as CallRecord[]
    const word = {
      ...order,
      at: wanted(calls, 0) + 1,
      does: 'resend_stage',
      stageId: 'st-1-2',
      resends: 'st-1',
    } as const
    expect(rules(inOrder, { vendorStages, operatorWords: [word] })).toEqual([])
    expect(rules(inOrder, { vendorStages })).toEqual(['stages_out_of_order'])
    const twice = [...inOrder, { ...inOrder[2], seq: ++seq }] as CallRecord[]
    expect(rules(twice, { operatorWords: [word] })).toContain('stage_accepted_twice')
    expect(rules(inOrder, { operatorWords: [{ ...word, at: 1_900_000_000_000 }] })).toEqual(['sent_without_a_word'])
    expect(rules(inOrder, { operatorWords: [{ ...word, resends: 'st-9' }] })).toEqual(['sent_without_a_word'])
  })
})
