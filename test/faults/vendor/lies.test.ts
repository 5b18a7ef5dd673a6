import { afterEach, describe, expect, it } from 'vitest'
import { unclear } from './answers.js'
import { json, type Mangling } from './mangler.js'
import { type PlacingRoom, startPlacingRoom } from './placing.js'

let room: PlacingRoom

afterEach(() => room.stop())

const lost: Mangling = { apply: true, answer: unclear['a reset'] }
const nothingThere: Mangling = { apply: false, answer: json(200, { orders: [] }) }

describe('a look-up that fails', () => {
  const failing: Array<[string, Mangling]> = [
    ['a reset', { apply: false }],
    ['500', { apply: false, answer: json(500, '') }],
    ['a page of HTML', { apply: false, answer: unclear['200 with a page of HTML'] }],
    [
      'the order of another check',
      {
        apply: false,
        answer: json(200, { orders: [{ order_id: 'V-9', background_check_id: '1', status: 'pending' }] }),
      },
    ],
    [
      'orders that do not say whose they are',
      { apply: false, answer: json(200, { orders: [{ order_id: 'V-9', status: 'pending' }] }) },
    ],
    ['429', { apply: false, answer: json(429, '') }],
  ]
  it.each(failing)('with %s leads to no second order, and the next one decides', async (_name, mangling) => {
    room = await startPlacingRoom({ vendor: { idempotencyKeys: 'ignored' }, timeoutMs: 20_000 })
    const id = await room.receive()
    room.mangler.plan('create', lost)
    room.mangler.plan('find', mangling, mangling, mangling)
    await room.placed(room.startProcess(), id)
    expect(room.mangler.requests.map(({ operation }) => operation)).toEqual(['create', 'find', 'find', 'find', 'find'])
    expect(room.vendor.orderCount(id)).toBe(1)
  })

  it('because the key is refused places nothing, and goes on when the key is right', async () => {
    room = await startPlacingRoom({ vendor: { idempotencyKeys: 'ignored' } })
    const id = await room.receive()
    room.mangler.plan('create', lost)
    room.mangler.plan('find', { apply: false, answer: json(401, '') })
    await room.placed(room.startProcess(), id)
    expect(room.vendor.orderCount(id)).toBe(1)
  })
})

it('a look-up that finds the order only later leads to no second order while the first call may still arrive', async () => {
  room = await startPlacingRoom({ vendor: { idempotencyKeys: 'ignored' }, timeoutMs: 5000 })
  const id = await room.receive()
  room.mangler.plan('create', lost)
  room.mangler.plan('find', nothingThere, nothingThere)
  await room.placed(room.startProcess(), id)
  expect(room.vendor.orderCount(id)).toBe(1)
})

describe('a vendor that breaks both promises', () => {
  it('has two orders for a check: the same one is taken whoever asks, and a person is told', async () => {
    room = await startPlacingRoom({ vendor: { idempotencyKeys: 'ignored' } })
    const id = await room.receive()
    room.mangler.plan('create', lost, lost)
    room.mangler.plan('find', ...Array.from({ length: 200 }, () => nothingThere))
    const worker = room.startProcess()
    await room.hastened(worker, () => room.vendor.orderCount(id)).toBe(2)
    room.mangler.forget('find')
    await room.placed(worker, id)
    expect(await room.orderOf(id)).toMatchObject({ vendor_order_id: 'V-1', attention: ['several_vendor_orders'] })
    expect(await room.kindsOf(id)).toEqual(['received', 'placed', 'several_vendor_orders'])
  })

  it('gives one number to two checks: the second one fails visibly, and the first keeps its own', async () => {
    room = await startPlacingRoom()
    const first = await room.receive()
    const worker = room.startProcess()
    await room.placed(worker, first)
    const { orderId } = room.vendor.order(first)
    const second = await room.receive()
    room.mangler.plan('create', { apply: false, answer: json(201, { order_id: orderId }) })
    await room.hastened(worker, async () => (await room.orderOf(second)).state).toBe('failed')
    expect(await room.orderOf(second)).toMatchObject({
      vendor_order_id: null,
      attention: ['failed'],
      failure: { class: 'vendor', message: expect.stringContaining('another check') },
    })
    expect(await room.orderOf(first)).toMatchObject({ state: 'ordered', vendor_order_id: orderId })
    await room.again(second)
    await room.placed(worker, second)
    expect(room.vendor.orderCount(second)).toBe(1)
  })
})

describe('a vendor that fails for long', () => {
  const age = (hours: number) =>
    room.ground.database.pool.query(`UPDATE vendor_tasks SET first_attempt_at = now() - $1 * interval '1 hour'`, [
      hours,
    ])

  it('with 500 for hours is tried again, ever less often, and gets one order when it is back', async () => {
    room = await startPlacingRoom()
    const id = await room.receive()
    room.mangler.use((operation) => (operation === 'create' ? { apply: true, answer: json(500, '') } : undefined))
    room.mangler.plan('find', ...Array.from({ length: 1000 }, () => ({ apply: false, answer: json(500, '') })))
    const worker = room.startProcess()
    await room.hastened(worker, async () => (await room.taskOf(id))?.attempts ?? 0).toBeGreaterThan(12)
    await age(71)
    const attempts = (await room.taskOf(id))?.attempts ?? 0
    await room.hastened(worker, async () => (await room.taskOf(id))?.attempts ?? 0).toBeGreaterThan(attempts)
    room.mangler.use(undefined)
    room.mangler.forget('find')
    await room.placed(worker, id)
    expect(room.vendor.orderCount(id)).toBe(1)
  })

  it('for more than 72 hours has its order failed, and placed again there is one', async () => {
    room = await startPlacingRoom({ vendor: { idempotencyKeys: 'ignored' } })
    const id = await room.receive()
    room.mangler.plan('create', { apply: true, answer: json(500, '') })
    room.mangler.plan('find', ...Array.from({ length: 1000 }, () => ({ apply: false, answer: json(500, '') })))
    const worker = room.startProcess()
    await room.hastened(worker, async () => (await room.taskOf(id))?.attempts ?? 0).toBeGreaterThan(2)
    await age(73)
    await room.hastened(worker, async () => (await room.orderOf(id)).state).toBe('failed')
    expect(await room.kindsOf(id)).toEqual(['received', 'place_given_up'])
    room.mangler.forget('find')
    await room.again(id)
    await room.placed(worker, id)
    expect(room.vendor.orderCount(id)).toBe(1)
  })
})

describe('429 with a Retry-After of', () => {
  const inAMinute = () => new Date(Date.now() + 60_000).toUTCString()
  const soon = [0.5, 3] as const
  const cases: Array<[string, () => string, readonly [number, number]]> = [
    ['seconds', () => '90', [60, 90]],
    ['a date', inAMinute, [30, 61]],
    ['more than an hour', () => '99999999999', [3500, 3600]],
    ['a date in 2100', () => 'Fri, 01 Jan 2100 00:00:00 GMT', [3500, 3600]],
    ['a fraction', () => '1.5', soon],
    ['less than nothing', () => '-90', soon],
    ['a word', () => 'soon', soon],
    ['nothing', () => '', soon],
    ['a date of ISO 8601', () => '2100-01-01T00:00:00Z', soon],
  ]
  it.each(cases)(
    '%s is waited for as far as it makes sense, and no look-up follows',
    async (_name, value, [least, most]) => {
      room = await startPlacingRoom({ timeoutMs: 20_000 })
      const id = await room.receive()
      room.mangler.plan('create', { apply: false, answer: json(429, '', `\r\nRetry-After: ${value()}`) })
      const worker = room.startProcess()
      await expect.poll(async () => (await room.taskOf(id))?.attempts, { timeout: 20_000, interval: 5 }).toBe(1)
      await worker.stop()
      const task = await room.taskOf(id)
      expect(task).toMatchObject({ ambiguous_at: null })
      expect(task?.due_in_s).toBeLessThanOrEqual(most)
      // What is soon may be due by the time it is looked at.
      if (least > 1) expect(task?.due_in_s).toBeGreaterThan(least - 20)
      expect(room.mangler.requests.map(({ operation }) => operation)).toEqual(['create'])
    },
  )

  it('a date that is over is no pause', async () => {
    room = await startPlacingRoom()
    const id = await room.receive()
    const over = '\r\nRetry-After: Sat, 01 Jan 2000 00:00:00 GMT'
    room.mangler.plan('create', { apply: false, answer: json(429, '', over) })
    await room.placed(room.startProcess(), id)
    expect(room.vendor.orderCount(id)).toBe(1)
  })
})
