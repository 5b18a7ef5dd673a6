import { describe, expect, it } from 'vitest'
import { readAnswer } from '../../src/flow/reconcile/ask.js'
import { readOrderPage } from '../../src/flow/to-feishu/order-reads.js'

describe('an order in Feishu’s lists', () => {
  it('is read with its numbers as text or as numbers, and without anything personal', () => {
    const item = {
      order_id: '7400000000000000202',
      order_status: '3',
      process_info_list: [{ process: '身份核验', en_process: 'Identity', update_time: 1767315600000 }],
      feedback_info_list: [{ report_type: '2', result: 'canary' }],
      begin_time: 1767315600000,
      update_time: '1767402000000',
      provider_info: { provider_id: '68', provider_name: { zh_cn: 'canary' } },
      candidate_info: { name: 'canary' },
    }
    const { orders } = readOrderPage({ items: [item] })
    expect(orders).toEqual([
      {
        id: '7400000000000000202',
        status: 3,
        stages: [{ name: '身份核验', time: '1767315600000' }],
        hasResult: true,
        beganAt: 1767315600000,
        updatedAt: 1767402000000,
        provider: '68',
      },
    ])
    expect(JSON.stringify(orders)).not.toContain('canary')
  })

  it.each([
    [{ order_id: '1' }],
    [{ order_id: '1', order_status: 'done', update_time: '', begin_time: {}, provider_info: 'us', conclusion: '' }],
  ])('claims nothing of what it lacks or cannot be read: %o', (item) => {
    expect(readOrderPage({ items: [item] }).orders).toEqual([
      { id: '1', status: null, stages: [], hasResult: false, beganAt: null, updatedAt: null, provider: null },
    ])
  })

  it.each([undefined, null, [], { items: 'none' }, { items: [1, null, { order_id: 7 }] }])(
    'is not made up from %o',
    (data) => {
      expect(readOrderPage(data)).toMatchObject({ orders: [], hasMore: false })
    },
  )
})

describe('an answer', () => {
  const answered = (code: number, more: object = {}) => ({ kind: 'answer', httpStatus: 400, code, ...more }) as const

  it('tells a right that is missing from a question that nobody answered', () => {
    expect(readAnswer(answered(99991672, { missingScopes: ['hire:background_check_order:readonly'] }))).toEqual({
      kind: 'unreadable',
      code: 99991672,
      reason: 'the app lacks a scope: hire:background_check_order:readonly (99991672)',
    })
    expect(readAnswer(answered(1002002))).toMatchObject({ kind: 'unreadable' })
    expect(readAnswer(answered(1002001))).toMatchObject({ kind: 'no_answer' })
    expect(readAnswer(answered(99991662))).toMatchObject({ kind: 'no_answer' })
  })

  it('says when to come back where Feishu does', () => {
    expect(readAnswer(answered(99991400, { resetMs: 4000 }))).toMatchObject({ kind: 'no_answer', inMs: 4000 })
    expect(readAnswer({ kind: 'no_slot', retryInMs: 30 })).toEqual({ kind: 'no_slot', inMs: 30 })
    expect(readAnswer({ kind: 'withdrawn' })).toMatchObject({ kind: 'no_slot' })
  })
})
