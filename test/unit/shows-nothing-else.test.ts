import { describe, expect, test } from 'vitest'
import type { OurDelivery } from '../../src/flow/reconcile/compare.js'
import { showsNothingElse } from '../../src/flow/reconcile/restored.js'
import type { FeishuOrder } from '../../src/flow/to-feishu/order-reads.js'

describe('Feishu shows nothing else of an order', () => {
  const id = '7400000000000000202'
  const delivery = (name: string, is: OurDelivery['is']): OurDelivery => ({
    id: name,
    is,
    rested: true,
    content: {
      api: 'update_progress',
      body: { background_check_id: id, stage_id: name, stage_name: name, stage_time: '1' },
    },
  })
  const ours = {
    state: 'in_progress',
    rested: true,
    deliveries: [delivery('a', 'confirmed'), delivery('b', 'open')],
  } as const
  const theirs = (names: string[], more: Partial<FeishuOrder> = {}): FeishuOrder => ({
    id,
    status: 2,
    stages: names.map((name) => ({ name, time: '1' })),
    hasResult: false,
    beganAt: 1,
    updatedAt: 2,
    provider: null,
    ...more,
  })

  test.each([
    ['the same stages', theirs(['a', 'b']), true],
    ['fewer, since the last was not sent', theirs(['a']), true],
    ['one that is not known here', theirs(['a', 'b', 'c']), false],
    ['one of that kind in place of ours', theirs(['a', 'c']), false],
    ['a list without what Feishu confirmed', theirs([]), false],
    ['a result', theirs(['a'], { hasResult: true }), false],
    ['an end', theirs(['a'], { status: 3 }), false],
  ])('%s', (_name, order, expected) => {
    expect(showsNothingElse(ours, order)).toBe(expected)
  })
})
