import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type FeishuApi, feishuApis, isRead } from '../../src/flow/to-feishu/apis.js'
import type { FeishuAnswer, FeishuReply } from '../../src/flow/to-feishu/client.js'
import {
  type Outcome,
  type OutcomeRow,
  outcomeRows,
  rowFor,
  type Settling,
  settle,
  settleExpired,
  settleProbe,
} from '../../src/flow/to-feishu/outcomes.js'

const writes = feishuApis.filter((api) => !isRead(api))

function settling(api: FeishuApi, reply: FeishuReply, more: Partial<Settling> = {}): Settling {
  const first = { wasAmbiguous: false, orderEndedHere: false, cancelKnown: false, tokenWasRefreshed: false }
  return { api, reply, attempts: 1, random: 0.5, ...first, ...more }
}

function answer(httpStatus: number, code: number, more: { resetMs?: number } = {}): FeishuReply {
  return { kind: 'answer', httpStatus, code, ...more }
}

function of(api: FeishuApi, [http, code]: [number, number], more: Partial<Settling> = {}): Outcome {
  return settle(settling(api, answer(http, code), more))
}

const repeat = { wasAmbiguous: true, attempts: 2 }
const withStatus = [200, 400, 401, 403, 429, 500] as const

describe('what is settled without an answer', () => {
  test.each(feishuApis)('%s: withdrawn is not an attempt, not sent is safe to repeat', (api) => {
    expect(settle(settling(api, { kind: 'withdrawn' }))).toMatchObject({ kind: 'retry', notAnAttempt: true })
    const unsent = settle(settling(api, { kind: 'not_sent', message: 'x' }))
    expect(unsent).toMatchObject({ kind: 'retry', ambiguous: false })
    expect(unsent).not.toHaveProperty('notAnAttempt')
  })

  test.each(writes)('%s: a lost answer is ambiguous', (api) => {
    expect(settle(settling(api, { kind: 'lost', message: 'x' }))).toMatchObject({ ambiguous: true })
    expect(settle(settling(api, { kind: 'lost', message: 'x', httpStatus: 502 }))).toMatchObject({ ambiguous: true })
  })

  test('a read is repeated without a doubt', () => {
    const lost = settle(settling('background_check_orders.list', { kind: 'lost', message: 'x' }))
    expect(lost).toMatchObject({ kind: 'retry', ambiguous: false })
  })

  test('an unreadable 429 slows down', () => {
    const limited = settle(settling('cancel', { kind: 'lost', message: 'x', httpStatus: 429, resetMs: 2_000 }))
    expect(limited).toEqual({ kind: 'slow_down', resetMs: 2_100 })
  })
})

describe('codes of the gateway, whatever the API, the status and what went before', () => {
  const expected: [number, Partial<Outcome>][] = [
    [99991400, { kind: 'slow_down' }],
    [1000004, { kind: 'slow_down' }],
    [1000005, { kind: 'slow_down' }],
    [5000, { kind: 'slow_down' }],
    [99991663, { kind: 'refresh_token', alsoAppToken: false }],
    [99991665, { kind: 'refresh_token', alsoAppToken: false }],
    [99991671, { kind: 'refresh_token', alsoAppToken: false }],
    [99991668, { kind: 'refresh_token', alsoAppToken: false }],
    [99991664, { kind: 'refresh_token', alsoAppToken: true }],
    [10012, { kind: 'refresh_token', alsoAppToken: true }],
    [10013, { kind: 'retry', ambiguous: false }],
    [99991661, { kind: 'dead', class: 'ours' }],
    [99991677, { kind: 'dead', class: 'ours' }],
    [10003, { kind: 'dead', class: 'ours' }],
    [99991201, { kind: 'dead', class: 'ours' }],
    [99991301, { kind: 'dead', class: 'ours' }],
    [99992402, { kind: 'dead', class: 'ours' }],
    [10014, { kind: 'hold', scope: 'app' }],
    [10015, { kind: 'hold', scope: 'app' }],
    [99991401, { kind: 'hold', scope: 'app' }],
    [99991403, { kind: 'hold', scope: 'app' }],
    [10005, { kind: 'hold', scope: 'tenant' }],
    [20009, { kind: 'hold', scope: 'tenant' }],
    [99991662, { kind: 'hold', scope: 'tenant' }],
    [99991673, { kind: 'hold', scope: 'tenant' }],
    [99991672, { kind: 'hold', scope: 'method' }],
  ]

  test.each(expected)('%i', (code, outcome) => {
    for (const api of feishuApis) {
      for (const http of withStatus) {
        for (const wasAmbiguous of [false, true]) expect(of(api, [http, code], { wasAmbiguous })).toMatchObject(outcome)
      }
    }
  })

  test.each([99991663, 99991664, 99991665, 99991671, 99991668])('%i with a fresh token is dead', (code) => {
    expect(of('update_progress', [200, code], { tokenWasRefreshed: true })).toMatchObject({ kind: 'dead' })
  })

  test('a hold says which scopes are missing', () => {
    const reply: FeishuReply = { kind: 'answer', httpStatus: 400, code: 99991672, missingScopes: ['hire:exam'] }
    const reason = 'the app lacks a scope that this API needs: hire:exam'
    expect(settle(settling('cancel', reply))).toEqual({ kind: 'hold', scope: 'method', code: 99991672, reason })
  })

  test('429 slows down with any code', () => {
    expect(of('update_result', [429, 77])).toMatchObject({ kind: 'slow_down' })
  })
})

describe('how long to slow down', () => {
  const slow = (resetMs: number | undefined, more: Partial<Settling> = {}) => {
    const outcome = settle(settling('cancel', answer(429, 99991400, resetMs === undefined ? {} : { resetMs }), more))
    return outcome.kind === 'slow_down' ? outcome.resetMs : Number.NaN
  }

  test('never sooner than Feishu says, nor sooner than a second or later than five minutes', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 1e9, noNaN: true }),
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        (ms, random) => {
          const wait = slow(ms, { random })
          expect(wait).toBeGreaterThanOrEqual(Math.max(1_000, Math.min(ms, 300_000)))
          expect(wait).toBeLessThanOrEqual(300_000)
        },
      ),
    )
  })

  test('grows from a second when Feishu does not say', () => {
    const waits = [0, 1, 2, 3, 20].map((slowDowns) => slow(undefined, { slowDowns, random: 0.999_999_9 }))
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 300_000])
    expect(slow(undefined, { random: 0 })).toBe(1_000)
  })
})

describe('the answer to a first attempt', () => {
  const dead = (of: string): Partial<Outcome> => ({ kind: 'dead', class: of }) as Partial<Outcome>
  const delivered: Partial<Outcome> = { kind: 'delivered', confirmed: true }
  const rows: [FeishuApi, [number, number], Partial<Outcome>][] = [
    ['update_progress', [400, 1002858], dead('feishu')],
    ['update_progress', [400, 1002862], dead('feishu')],
    ['update_progress', [500, 1002001], { kind: 'retry', ambiguous: true }],
    ['update_progress', [400, 1002001], dead('ours')],
    ['update_result', [400, 1002858], dead('feishu')],
    ['update_result', [400, 1002862], dead('feishu')],
    ['update_result', [500, 1002863], { kind: 'retry', ambiguous: false, minDelayMs: 3_600_000 }],
    ['update_result', [500, 1002001], { kind: 'retry', ambiguous: true }],
    ['cancel', [400, 1002862], dead('feishu')],
    ['cancel', [400, 1002858], dead('feishu')],
    ['cancel', [500, 1002001], { kind: 'retry', ambiguous: true }],
    ['custom_fields.create', [400, 1002855], { kind: 'probe', with: 'custom_fields.batch_update', ambiguous: false }],
    ['custom_fields.create', [500, 1002001], { kind: 'probe', with: 'custom_fields.batch_update', ambiguous: true }],
    ['custom_fields.batch_update', [400, 1002001], dead('vendor')],
    ['custom_fields.batch_update', [500, 1002001], { kind: 'retry', ambiguous: true }],
    ['custom_fields.batch_delete', [400, 1002860], dead('feishu')],
    ['packages.create', [400, 1002001], dead('vendor')],
    ['packages.create', [500, 1002001], { kind: 'probe', with: 'packages.batch_update', ambiguous: true }],
    ['packages.batch_update', [400, 1002001], dead('vendor')],
    ['packages.batch_delete', [400, 1002859], delivered],
    ['account_custom_fields.create', [500, 1002001], { kind: 'retry', ambiguous: true }],
    ['account_custom_fields.batch_update', [500, 1002001], { kind: 'retry', ambiguous: false }],
    ['account_custom_fields.batch_delete', [500, 1002001], { kind: 'retry', ambiguous: false }],
    ['tripartite_agreements.create', [400, 1002002], dead('ours')],
    ['tripartite_agreements.create', [400, 1002076], { kind: 'hold', scope: 'method', family: true }],
    ['tripartite_agreements.create', [400, 1002077], dead('customer')],
    ['tripartite_agreements.create', [400, 1002078], dead('customer')],
    ['tripartite_agreements.create', [400, 1002080], { kind: 'adopt' }],
    ['tripartite_agreements.update', [400, 1002075], dead('feishu')],
    ['tripartite_agreements.update', [400, 1002076], { kind: 'hold', scope: 'method', family: true }],
    ['tripartite_agreements.delete', [400, 1002075], dead('feishu')],
    ['background_check_orders.list', [400, 1002002], dead('ours')],
    ['background_check_orders.batch_query', [500, 1002001], { kind: 'retry', ambiguous: false }],
  ]

  test.each(rows)('%s %j', (api, at, outcome) => {
    expect(of(api, at)).toMatchObject(outcome)
  })

  const atAnyStatus = rows.filter(([, [, code]]) => code !== 1002001)
  test.each(atAnyStatus)('%s %j means the same with 200', (api, [, code], outcome) => {
    expect(of(api, [200, code])).toMatchObject(outcome)
  })

  test.each(feishuApis)('%s: 0 with 200 is delivered', (api) => {
    expect(of(api, [200, 0])).toEqual({ kind: 'delivered', confirmed: true })
    expect(of(api, [200, 0], repeat)).toEqual({ kind: 'delivered', confirmed: true })
  })

  test('a refused order that ended here is superseded', () => {
    expect(of('update_progress', [400, 1002858], { orderEndedHere: true })).toMatchObject({ kind: 'superseded' })
    const canceled = { orderEndedHere: true, cancelKnown: true }
    expect(of('update_result', [400, 1002858], canceled)).toMatchObject({ kind: 'superseded' })
    expect(of('update_result', [400, 1002858], { orderEndedHere: true })).toMatchObject({
      kind: 'dead',
      class: 'feishu',
    })
  })

  test('account fields that keep failing are the vendor’s to look at', () => {
    const last = of('account_custom_fields.batch_delete', [500, 1002001], { attempts: 5 })
    expect(last).toMatchObject({ kind: 'dead', class: 'vendor' })
  })
})

describe('the answer to a repeat after an ambiguous attempt, by the contract’s table', () => {
  const inferred: Partial<Outcome> = { kind: 'delivered', confirmed: false }
  const sure: Partial<Outcome> = { kind: 'delivered', confirmed: true }
  const rows: [FeishuApi, [number, number], Partial<Settling>, Partial<Outcome>][] = [
    ['update_progress', [400, 1002858], { orderEndedHere: true }, { kind: 'superseded' }],
    ['update_progress', [400, 99992402], {}, { kind: 'dead' }],
    ['update_progress', [400, 1002862], {}, { kind: 'dead' }],
    ['update_progress', [400, 1002858], {}, inferred],
    ['update_progress', [400, 1002001], {}, inferred],
    ['update_progress', [400, 1002002], {}, inferred],
    ['update_progress', [400, 1234567], {}, inferred],
    ['update_result', [500, 1002863], {}, { kind: 'delivered', confirmed: true, heldForApproval: true }],
    ['update_result', [400, 1002858], {}, inferred],
    ['update_result', [400, 1002858], { orderEndedHere: true }, inferred],
    ['update_result', [400, 1002858], { cancelKnown: true }, { kind: 'superseded' }],
    ['update_result', [400, 1002862], {}, { kind: 'dead' }],
    ['cancel', [400, 1002858], {}, sure],
    ['cancel', [400, 1002001], {}, sure],
    ['cancel', [400, 1002862], {}, { kind: 'dead' }],
    ['packages.batch_delete', [400, 1002859], {}, sure],
    ['custom_fields.batch_delete', [400, 1002860], {}, sure],
    ['custom_fields.batch_update', [500, 1002001], {}, { kind: 'retry', ambiguous: true }],
    ['tripartite_agreements.create', [400, 1002080], {}, { kind: 'adopt' }],
    ['tripartite_agreements.delete', [400, 1002075], {}, inferred],
    ['packages.create', [500, 1002001], {}, { kind: 'probe', with: 'packages.batch_update' }],
  ]

  test.each(rows)('%s %j %j', (api, at, more, outcome) => {
    expect(of(api, at, { ...repeat, ...more })).toMatchObject(outcome)
  })

  test('a code of Hire’s that is a refusal counts with 200 as with 400', () => {
    expect(of('update_progress', [200, 1002002], repeat)).toMatchObject(inferred)
    expect(of('cancel', [200, 1002858], repeat)).toMatchObject(sure)
  })

  test('1002001 with 200 is asked again before it counts as a refusal', () => {
    expect(of('update_progress', [200, 1002001], repeat)).toMatchObject({ kind: 'retry', ambiguous: false })
    expect(of('update_progress', [200, 1002001], { ...repeat, attempts: 5 })).toMatchObject(inferred)
  })

  test('a refusal of the gateway says nothing about the first attempt', () => {
    expect(of('update_progress', [400, 99991999], repeat)).toMatchObject({ kind: 'dead', class: 'unconfirmed' })
    expect(of('update_progress', [400, 99991400], repeat)).toMatchObject({ kind: 'slow_down' })
  })
})

describe('probing whether a create took effect', () => {
  const probe = (reply: FeishuReply, more: Partial<Settling> = {}) =>
    settleProbe({ ...settling('packages.create', reply, { ...repeat, ...more }), api: 'packages.create' })

  test('it is there', () => expect(probe(answer(200, 0))).toEqual({ kind: 'delivered', confirmed: true }))
  test('it is not there', () => expect(probe(answer(400, 1002001))).toMatchObject({ kind: 'create_again' }))
  test('nobody knows yet', () => {
    for (const reply of [answer(500, 1002001), { kind: 'lost', message: 'x' } as const]) {
      expect(probe(reply)).toMatchObject({ kind: 'probe', with: 'packages.batch_update' })
    }
    expect(probe({ kind: 'withdrawn' })).toMatchObject({ kind: 'retry', notAnAttempt: true })
  })
  test('the gateway says nothing about it', () => {
    expect(probe(answer(400, 99991663))).toMatchObject({ kind: 'refresh_token' })
    expect(probe(answer(400, 99992402))).toMatchObject({ kind: 'dead' })
    expect(probe(answer(429, 99991400))).toMatchObject({ kind: 'slow_down' })
  })
  test('fields that exist with other keys are dead, once that is known', () => {
    const again = of('custom_fields.create', [400, 1002855], { probed: true })
    expect(again).toMatchObject({ kind: 'dead', class: 'vendor' })
  })
})

describe('answers that nobody documented', () => {
  test.each(writes)('%s: 4xx is permanent, 5xx is ambiguous, 200 is tried a few times', (api) => {
    expect(of(api, [403, 4242])).toMatchObject({ kind: 'dead', class: 'ours' })
    expect(of(api, [503, 4242])).toMatchObject({ ambiguous: true })
    expect(of(api, [200, 4242])).toMatchObject({ kind: 'retry', ambiguous: false })
    expect(of(api, [200, 4242], { attempts: 5 })).toMatchObject({ kind: 'dead', class: 'ours' })
  })

  test('0 with another status than success is no success', () => {
    expect(of('cancel', [500, 0])).toMatchObject({ kind: 'retry', ambiguous: true })
    expect(of('cancel', [404, 0])).toMatchObject({ kind: 'dead' })
  })

  test('every answer has an outcome', () => {
    const codes = [...new Set(outcomeRows.map((row) => row.code).filter((code) => typeof code === 'number'))]
    const code = fc.oneof(fc.constantFrom(...codes), fc.integer())
    const status = fc.integer({ min: 100, max: 599 })
    const flags = fc.record({
      wasAmbiguous: fc.boolean(),
      orderEndedHere: fc.boolean(),
      cancelKnown: fc.boolean(),
      tokenWasRefreshed: fc.boolean(),
      attempts: fc.integer({ min: 1, max: 50 }),
    })
    fc.assert(
      fc.property(fc.constantFrom(...feishuApis), status, code, flags, (api, httpStatus, one, more) => {
        expect(of(api, [httpStatus, one], more).kind).toBeTypeOf('string')
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('the table', () => {
  test.each(outcomeRows.map((row, index) => ({ index, code: row.code, row })))(
    'row $index ($code) can be reached',
    ({ row }) => {
      const { input, reply } = madeFor(row)
      expect(rowFor(input, reply)).toBe(row)
    },
  )

  test('every row has its source and a reason in plain words', () => {
    for (const { reason, source } of outcomeRows) {
      expect(source).toMatch(/§|decided here/)
      expect(reason).toMatch(/^[\w ’,:.]+$/)
    }
  })
})

/** An answer that the row is meant for. */
function madeFor(row: OutcomeRow) {
  const api = row.apis === 'any' ? 'account_custom_fields.create' : (row.apis[0] ?? 'cancel')
  const code = row.code === 'other' ? 4242 : row.code === 'gateway' ? 99_990_001 : row.code
  const status = { any: row.code === 'other' ? 300 : 400, refused: 400, '2xx': 200, '4xx': 404, '5xx': 503 }
  const httpStatus = typeof row.http === 'number' ? row.http : status[row.http]
  const reply: FeishuAnswer = { kind: 'answer', httpStatus, code }
  const { repeat: wasAmbiguous = false, orderEndedHere = false, cancelKnown = false } = row
  return { input: settling(api, reply, { wasAmbiguous, orderEndedHere, cancelKnown }), reply }
}

test('a delivery whose age is over is unconfirmed when an attempt was ambiguous', () => {
  expect(settleExpired({ wasAmbiguous: true, reachedFeishu: false })).toMatchObject({
    kind: 'dead',
    class: 'unconfirmed',
  })
  expect(settleExpired({ wasAmbiguous: false, reachedFeishu: true })).toMatchObject({ kind: 'dead', class: 'feishu' })
  expect(settleExpired({ wasAmbiguous: false, reachedFeishu: false })).toMatchObject({ kind: 'dead', class: 'ours' })
})
