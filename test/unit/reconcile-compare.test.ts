import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OrderBody, OrderState } from '../../src/flow/map.js'
import { compareOrder, type OurDelivery, type OurOrder } from '../../src/flow/reconcile/compare.js'
import { type FeishuOrder, isInFeishu } from '../../src/flow/to-feishu/order-reads.js'

const id = '7400000000000000202'

function stage(number: number): OrderBody {
  const stage_time = String(1767315600000 + number)
  return {
    api: 'update_progress',
    body: { background_check_id: id, stage_id: `st-${number}`, stage_name: `stage ${number}`, stage_time },
  }
}
const result: OrderBody = {
  api: 'update_result',
  body: { background_check_id: id, result: '无差异', result_time: '1767402000000' },
}
const cancel: OrderBody = { api: 'cancel', body: { background_check_id: id } }

let lastId = 0
function delivery(content: OrderBody, is: OurDelivery['is'] = 'confirmed', rested = true): OurDelivery {
  lastId += 1
  return { id: String(lastId), content, is, rested }
}

function ours(state: OrderState, ...deliveries: OurDelivery[]): OurOrder {
  return { state, rested: true, deliveries }
}

function theirs(
  status: number | null,
  stages: readonly OrderBody[] = [],
  more: Partial<FeishuOrder> = {},
): FeishuOrder {
  const shown = stages.flatMap(({ api, body }) =>
    api === 'update_progress' ? [{ name: body.stage_name, time: body.stage_time }] : [],
  )
  const facts = { hasResult: false, beganAt: 1, updatedAt: 2, provider: 'p' }
  return { id, status, stages: shown, ...facts, ...more }
}

const [arranged, completed, terminated, inApproval, withdrawn, notApproved] = [2, 3, 4, 5, 6, 9]

describe('an order that Feishu terminated', () => {
  it.each(['received', 'ordered', 'in_progress', 'reported', 'completed', 'failed'] as const)(
    'is canceled when it is %s here',
    (state) => {
      expect(compareOrder(ours(state), theirs(terminated), true)).toMatchObject({ turn: 'canceled', differences: [] })
    },
  )

  it('says nothing when it is canceled here as well', () => {
    const same = compareOrder(
      ours('canceled', delivery(stage(1)), delivery(cancel)),
      theirs(terminated, [stage(1)]),
      true,
    )
    expect(same).toEqual({ confirm: [], turn: null, revive: null, differences: [], undecided: [] })
  })

  it('confirms our own cancel of which nobody knew whether Feishu took it, and is not the customer’s then', () => {
    const lost = delivery(cancel, 'lost')
    expect(compareOrder(ours('in_progress', lost), theirs(terminated), true)).toMatchObject({
      confirm: [lost.id],
      turn: null,
    })
  })

  it('is left alone while its event may still come, or while something here has just changed', () => {
    expect(compareOrder(ours('ordered'), theirs(terminated), false).turn).toBeNull()
    expect(compareOrder({ ...ours('ordered'), rested: false }, theirs(terminated), true).turn).toBeNull()
    expect(compareOrder(ours('ordered'), theirs(terminated), false).undecided).toContain('terminated_in_feishu')
  })
})

describe('an order that Feishu completed', () => {
  it('is approved when its result was held', () => {
    const held = ours('reported', delivery(result))
    expect(compareOrder(held, theirs(completed, [], { hasResult: true }), true).turn).toBe('approved')
  })

  it.each([
    ['ordered', []],
    ['in_progress', [delivery(stage(1))]],
    ['reported', [delivery(result, 'dead')]],
    ['canceled', []],
  ] as const)('is listed when it is %s here and Feishu never took a result from us', (state, deliveries) => {
    const compared = compareOrder(ours(state, ...deliveries), theirs(completed, [stage(1)]), true)
    expect(compared).toMatchObject({ turn: null, revive: null, differences: [{ kind: 'completed_in_feishu' }] })
  })

  it('confirms a result of which nobody knew whether Feishu took it, and is not listed then', () => {
    const lost = delivery(result, 'lost')
    const compared = compareOrder(ours('reported', lost), theirs(completed), true)
    expect(compared).toMatchObject({ confirm: [lost.id], differences: [] })
  })

  it('says nothing about a result that was sent again: the list may show the first one', () => {
    const again = delivery(result, 'lost')
    const seen = compareOrder(
      ours('completed', delivery(result), again),
      theirs(completed, [], { hasResult: true }),
      true,
    )
    expect(seen).toEqual({ confirm: [], turn: null, revive: null, differences: [], undecided: [] })
  })

  it('says nothing while our result is under way', () => {
    expect(
      compareOrder(ours('reported', delivery(result, 'open', false)), theirs(completed), true).differences,
    ).toEqual([])
  })
})

describe('an approval', () => {
  it('that is open holds the result', () => {
    const took = ours('completed', delivery(result))
    expect(compareOrder(took, theirs(inApproval), true)).toMatchObject({ turn: 'held', differences: [] })
  })

  it.each([withdrawn, notApproved])(
    'that ended with %i is listed where there is a result, and only there',
    (status) => {
      const took = compareOrder(ours('reported', delivery(result)), theirs(status), true)
      expect(took.differences).toEqual([
        { kind: 'result_not_approved', detail: { order_status: status, state: 'reported' } },
      ])
      expect(compareOrder(ours('ordered'), theirs(status), true).differences).toEqual([])
    },
  )

  it('makes no result count as missing, since the list may not show it yet', () => {
    expect(compareOrder(ours('completed', delivery(result, 'inferred')), theirs(notApproved), true).revive).toBeNull()
  })
})

describe('what was sent last and is not in Feishu', () => {
  it.each([
    [
      'a result that was inferred',
      'completed',
      [delivery(stage(1)), delivery(result, 'inferred')],
      'result_not_in_feishu',
    ],
    [
      'a result that is dead as unconfirmed',
      'reported',
      [delivery(stage(1)), delivery(result, 'lost')],
      'result_not_in_feishu',
    ],
    [
      'a stage that was inferred',
      'in_progress',
      [delivery(stage(1)), delivery(stage(2), 'inferred')],
      'stage_not_in_feishu',
    ],
    ['a stage that is dead as unconfirmed', 'in_progress', [delivery(stage(2), 'lost')], 'stage_not_in_feishu'],
  ] as const)('may be sent again: %s', (_what, state, deliveries, kind) => {
    const compared = compareOrder(ours(state, ...deliveries), theirs(arranged, [stage(1)]), true)
    expect(compared).toMatchObject({ revive: { kind, subject: deliveries.at(-1)?.id }, differences: [{ kind }] })
  })

  it.each([
    ['later ones overtook it', 'in_progress', [delivery(stage(1), 'inferred'), delivery(stage(2))], arranged],
    ['Feishu said that it had it', 'in_progress', [delivery(stage(2)), delivery(stage(1))], arranged],
    ['Feishu refused it clearly', 'in_progress', [delivery(stage(2)), delivery(stage(1), 'dead')], arranged],
    ['it has just settled', 'in_progress', [delivery(stage(2)), delivery(stage(1), 'inferred', false)], arranged],
    [
      'another call is under way',
      'in_progress',
      [delivery(stage(1), 'inferred'), delivery(stage(2), 'open', false)],
      arranged,
    ],
    ['the order is canceled here', 'canceled', [delivery(stage(2)), delivery(stage(1), 'inferred')], arranged],
    ['the order is completed here', 'completed', [delivery(result), delivery(stage(1), 'inferred')], arranged],
    ['Feishu closed the order', 'in_progress', [delivery(stage(2)), delivery(stage(1), 'inferred')], completed],
    ['an approval is open', 'in_progress', [delivery(stage(2)), delivery(stage(1), 'inferred')], inApproval],
    ['it is a cancel', 'canceled', [delivery(cancel, 'inferred')], arranged],
  ] as const)('is not sent again by itself where %s', (_why, state, deliveries, status) => {
    expect(compareOrder(ours(state, ...deliveries), theirs(status, [stage(2)]), true).revive).toBeNull()
  })

  it('is not believed where the list shows none of the stages that Feishu confirmed', () => {
    const order = ours('in_progress', delivery(stage(1)), delivery(stage(2), 'inferred'))
    expect(compareOrder(order, theirs(arranged, []), true)).toMatchObject({
      revive: null,
      differences: [],
      undecided: ['stage_not_in_feishu', 'stage_not_in_feishu'],
    })
  })

  it('is listed, not sent, where Feishu confirmed it', () => {
    const order = ours('in_progress', delivery(stage(1)), delivery(stage(2)))
    expect(compareOrder(order, theirs(arranged, [stage(1)]), true)).toMatchObject({
      revive: null,
      differences: [{ kind: 'stage_not_in_feishu', detail: { stage_id: 'st-2', was: 'confirmed' } }],
    })
  })
})

it('a check that is canceled here and still open in Feishu is listed once', () => {
  expect(compareOrder(ours('canceled'), theirs(arranged), true).differences).toMatchObject([{ kind: 'open_in_feishu' }])
  const vendorStopped = ours('canceled', delivery(cancel, 'inferred'))
  expect(compareOrder(vendorStopped, theirs(arranged), true).differences).toMatchObject([
    { kind: 'cancel_not_in_feishu' },
  ])
})

const state = fc.constantFrom<OrderState>(
  'received',
  'ordered',
  'in_progress',
  'reported',
  'completed',
  'canceled',
  'failed',
)
const content = fc.oneof(fc.integer({ min: 1, max: 4 }).map(stage), fc.constantFrom(result, cancel))
const deliveries = fc
  .array(
    fc.tuple(
      content,
      fc.constantFrom<OurDelivery['is'][]>('confirmed', 'inferred', 'lost', 'dead', 'open'),
      fc.boolean(),
    ),
    { maxLength: 5 },
  )
  .map((all) => all.map(([body, is, rested]) => delivery(body, is, rested)))
const feishu = fc
  .tuple(fc.constantFrom(2, 3, 4, 5, 6, 8, 9, null), fc.subarray([1, 2, 3, 4]), fc.boolean())
  .map(([status, stages, hasResult]) => theirs(status, stages.map(stage), { hasResult }))
const order = fc
  .tuple(state, deliveries, fc.boolean())
  .map(([is, all, rested]) => ({ state: is, deliveries: all, rested }))

it('whatever is compared: only what is absent for sure and sent last goes again, only what is there is confirmed, and nothing is both', () => {
  fc.assert(
    fc.property(order, feishu, fc.boolean(), (mine, other, certain) => {
      const compared = compareOrder(mine, other, certain)
      const byId = new Map(mine.deliveries.map((each) => [each.id, each]))
      for (const confirmed of compared.confirm) {
        const each = byId.get(confirmed)
        expect(['inferred', 'lost']).toContain(each?.is)
        expect(each && isInFeishu(other, each.content)).toBe(true)
        expect(compared.differences.map(({ subject }) => subject)).not.toContain(confirmed)
      }
      if (compared.revive !== null) {
        const last = mine.deliveries.at(-1)
        expect(compared.revive.subject).toBe(last?.id)
        expect(last?.rested && last.content.api !== 'cancel' && ['inferred', 'lost'].includes(last.is)).toBe(true)
        expect(last && isInFeishu(other, last.content)).toBe(false)
        expect([other.status, compared.turn]).toEqual([2, null])
        expect(compared.differences).toContainEqual(compared.revive)
      }
      if (!certain || !mine.rested || other.status === null) expect(compared.turn).toBeNull()
    }),
    { numRuns: 2000 },
  )
})
