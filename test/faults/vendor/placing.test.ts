import { afterEach, describe, expect, it } from 'vitest'
import type { VendorAdapter } from '../../../src/flow/vendor/adapter.js'
import { latch } from '../../support/latch.js'
import { odd, unclear } from './answers.js'
import { json, type Mangling } from './mangler.js'
import { type PlacingRoom, startPlacingRoom } from './placing.js'

let room: PlacingRoom
const longTimeout = 20_000

afterEach(() => room.stop())

/** What keeps a vendor from having two orders for one check: either is enough. */
const vendors = [
  ['the key and the look-up', { vendor: {} }, undefined],
  [
    'the key alone, the look-up always finds nothing',
    { vendor: {} },
    { apply: false, answer: json(200, { orders: [] }) },
  ],
  ['the key alone, there is no look-up', { vendor: {} }, { apply: false, answer: json(404, '') }],
  ['the key alone, a look-up is refused', { vendor: {} }, { apply: false, answer: json(400, '') }],
  ['the look-up alone', { vendor: { idempotencyKeys: 'ignored' } }, undefined],
] as const

describe.each(vendors)('a vendor that honours %s', (_name, options, find) => {
  /** With a timeout that comes soon, or a long one. */
  const open = async (timeoutMs?: number) => {
    room = await startPlacingRoom({ ...options, ...(timeoutMs !== undefined && { timeoutMs }) })
    if (find !== undefined) room.mangler.use((operation) => (operation === 'find' ? find : undefined))
  }

  /** An order for each answer, all at once; what the vendor and we have of each in the end. */
  const placeAll = async (answers: typeof unclear, apply: boolean, timeoutMs?: number) => {
    await open(timeoutMs)
    const ids = new Map<string, string>()
    for (const name of Object.keys(answers)) ids.set(name, await room.receive())
    const spoilt = new Map([...ids].map(([name, id]) => [id, { apply, answer: answers[name] }]))
    room.mangler.use((operation, key) => {
      if (operation === 'find') return find
      const mangling = operation === 'create' ? spoilt.get(key) : undefined
      spoilt.delete(key)
      return mangling
    })
    const worker = room.startProcess()
    const waiting = 'SELECT 1 FROM vendor_tasks'
    await room.hastened(worker, async () => (await room.ground.database.pool.query(waiting)).rowCount).toBe(0)
    const found: Record<string, unknown> = {}
    for (const [name, id] of ids) {
      const { state, vendor_order_id, attention } = await room.orderOf(id)
      const right = room.vendor.orderCount(id) === 1 && vendor_order_id === room.vendor.order(id).orderId
      found[name] = [state, right, attention, await room.kindsOf(id)]
    }
    const wanted = ['ordered', true, [], ['received', 'placed']]
    expect(found).toEqual(Object.fromEntries(Object.keys(answers).map((name) => [name, wanted])))
  }

  it('has one order whatever it answered after it made it', () => placeAll(unclear, true))

  it('has one order whatever it answered before it made any', () => placeAll(unclear, false))

  it('is understood at once when it answers oddly', async () => {
    await placeAll(odd, true, longTimeout)
    expect(room.mangler.requests.map(({ operation }) => operation)).toEqual(Object.keys(odd).map(() => 'create'))
    expect(room.mangler.requests.filter(({ headers }) => headers.cookie !== undefined)).toEqual([])
  })

  it('has one order when it goes wrong many times, made and not made', async () => {
    await open()
    const reset = { apply: true, answer: unclear['a reset'] } satisfies Mangling
    const lost = { apply: false } satisfies Mangling
    const id = await room.receive()
    room.mangler.plan('create', lost, reset, reset, lost, reset, lost)
    await room.placed(room.startProcess(), id)
    expect(room.vendor.orderCount(id)).toBe(1)
    const keys = room.mangler.requests.filter(({ operation }) => operation === 'create')
    expect(new Set(keys.map(({ headers }) => headers['idempotency-key']))).toEqual(new Set([id]))
  })

  it('has one order when a process dies between the answer and the commit', async () => {
    await open(longTimeout)
    const id = await room.receive()
    const thawed = latch()
    const dying = room.startProcess(diesAfterPlacing(thawed.opened))
    dying.wake()
    await expect.poll(() => room.vendor.orderCount(id), { timeout: 20_000 }).toBe(1)
    await room.endClaim(id)
    await room.placed(room.startProcess(), id)
    thawed.open()
    await dying.stop()
    expect(room.vendor.orderCount(id)).toBe(1)
    expect(await room.kindsOf(id)).toEqual(['received', 'placed'])
  })

  it('has one order when it is slower than our timeout', async () => {
    await open()
    const id = await room.receive()
    room.vendor.addFault({ match: { operation: 'orders.create' }, action: { kind: 'slow', ms: 450 } })
    await room.placed(room.startProcess(), id)
    const underWay = () =>
      room.vendor.calls({ operation: 'orders.create' }).filter((call) => call.endedAt === undefined)
    await expect.poll(underWay, { timeout: 20_000 }).toEqual([])
    expect(room.vendor.orderCount(id)).toBe(1)
  })

  it('has one order when a process hangs before its call until another has taken over', async () => {
    await open(longTimeout)
    const id = await room.receive()
    const resumed = latch()
    const hung = room.startProcess((vendor) => ({
      ...vendor,
      placeOrder: async (order, call) => {
        await resumed.opened
        return vendor.placeOrder(order, call)
      },
    }))
    hung.wake()
    await expect.poll(async () => (await room.taskOf(id))?.fence, { timeout: 20_000 }).toBe(1)
    await room.endClaim(id)
    await room.placed(room.startProcess(), id)
    resumed.open()
    await hung.stop()
    expect(room.vendor.orderCount(id)).toBe(1)
    expect(room.vendor.calls({ operation: 'orders.create' })).toHaveLength(1)
  })

  it('has one order when an order that was given up is placed again', async () => {
    await open()
    const id = await room.receive()
    room.mangler.plan('create', { apply: true, answer: json(422, '') })
    const worker = room.startProcess()
    await room.hastened(worker, async () => (await room.orderOf(id)).state).toBe('failed')
    await room.again(id)
    await room.placed(worker, id)
    expect(room.vendor.orderCount(id)).toBe(1)
  })

  it('has the cancel of an order whose answer was lost, and no second order', async () => {
    await open()
    const id = await room.receive()
    room.mangler.plan('create', { apply: true, answer: unclear['a reset'] } satisfies Mangling)
    const worker = room.startProcess()
    await expect.poll(async () => (await room.taskOf(id))?.ambiguous_at ?? null, { timeout: 20_000 }).not.toBeNull()
    await room.cancel(id)
    // A look-up that finds nothing is believed when the placing cannot arrive any more.
    await room.ground.database.pool.query(`UPDATE vendor_tasks SET ambiguous_at = now() - interval '2 minutes'`)
    await room.hastened(worker, () => room.taskOf(id)).toBeUndefined()
    expect(room.vendor.orderCount(id)).toBe(1)
    if (find === undefined) expect(room.vendor.order(id).status).toBe('canceled')
  })
})

/** The vendor's answer comes, and nothing of the process goes forward from there until it is thawed. */
function diesAfterPlacing(thawed: Promise<void>): (vendor: VendorAdapter) => VendorAdapter {
  return (vendor) => ({
    ...vendor,
    placeOrder: async (order, call) => {
      const answer = await vendor.placeOrder(order, call)
      await thawed
      return answer
    },
  })
}
