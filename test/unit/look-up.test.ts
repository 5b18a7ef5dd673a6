import { describe, expect, it } from 'vitest'
import type { OrderBody } from '../../src/flow/map.js'
import { readSeen } from '../../src/flow/to-feishu/look-up.js'
import type { FeishuReply } from '../../src/flow/to-feishu/reply.js'

const id = '7400000000000000202'
const stage: OrderBody = {
  api: 'update_progress',
  body: { background_check_id: id, stage_id: 'st-1', stage_name: '身份核验', stage_time: '1767315600000' },
}
const raised: OrderBody = {
  api: 'update_progress',
  body: { ...stage.body, stage_time: '1767315900000' },
  earlierTimes: ['1767315600000', '1767315800000'],
}
const result: OrderBody = {
  api: 'update_result',
  body: { background_check_id: id, result: '无差异', result_time: '1767402000000' },
}
const cancel: OrderBody = { api: 'cancel', body: { background_check_id: id } }

function listed(order: Record<string, unknown>): FeishuReply {
  return { kind: 'answer', httpStatus: 200, code: 0, data: { items: [{ order_id: id, order_status: 2, ...order }] } }
}

function refused(code: number, httpStatus = 400): FeishuReply {
  return { kind: 'answer', httpStatus, code }
}

describe('an order that is listed', () => {
  it.each([
    [
      'a stage by its name and time',
      stage,
      { process_info_list: [{ process: '身份核验', update_time: '1767315600000' }] },
    ],
    [
      'a stage by a time that an earlier attempt had',
      raised,
      { process_info_list: [{ process: '身份核验', update_time: '1767315800000' }] },
    ],
    ['a result by a final report', result, { feedback_info_list: [{ report_type: 2 }] }],
    ['a result by its conclusion', result, { conclusion: '无差异' }],
    ['a result by the order being completed', result, { order_status: 3 }],
    ['a cancel by the order being terminated', cancel, { order_status: 4 }],
  ] as const)('shows %s', (_what, content, order) => {
    expect(readSeen(listed(order), content, id)).toBe('found')
  })

  it.each([
    ['a stage of another time', stage, { process_info_list: [{ process: '身份核验', update_time: '1767315600001' }] }],
    ['a stage of another name', stage, { process_info_list: [{ process: '学历核实', update_time: '1767315600000' }] }],
    ['the report of a stage', result, { feedback_info_list: [{ report_type: 1 }] }],
    ['no conclusion', result, { conclusion: '' }],
    ['an order that was completed', cancel, { order_status: 3 }],
    ['fields of other shapes', stage, { process_info_list: { process: '身份核验' } }],
  ] as const)('does not take %s for it', (_what, content, order) => {
    expect(readSeen(listed(order), content, id)).toBe('absent')
  })
})

describe('an answer without the order', () => {
  it.each([
    ['a missing scope', refused(99991672, 403), 'unreadable'],
    ['a refused query', refused(1002002), 'unreadable'],
    ['a list that has others only', listed({ order_id: '1' }), 'unreadable'],
    ['an empty answer', { kind: 'answer', httpStatus: 200, code: 0 }, 'unreadable'],
    ['a dead token', refused(99991663, 200), 'token_refused'],
    ['a rate limit', refused(99991400, 429), 'no_answer'],
    ['an outage', refused(1002001, 500), 'no_answer'],
    ['silence', { kind: 'lost', message: 'no complete answer' }, 'no_answer'],
    ['a refused connection', { kind: 'not_sent', message: 'refused' }, 'no_answer'],
    ['a slot that grew too old', { kind: 'withdrawn' }, 'no_slot'],
  ] as const)('is told apart: %s', (_what, reply, seen) => {
    expect(readSeen(reply, stage, id)).toBe(seen)
  })
})
