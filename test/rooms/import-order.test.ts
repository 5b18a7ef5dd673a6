import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cancelByCustomer } from '../../src/flow/orders/cancel.js'
import { checkImport, type Imported, importOrder, type OrderToImport } from '../../src/flow/orders/import.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import { orderToPlace } from '../support/order-to-place.js'
import { freshId, type Ground, layGround } from '../support/room.js'

const origin = { appId: 'cli_a', tenantKey: 'tk_a' }
const at = 1_767_312_000_000
let ground: Ground

beforeAll(async () => {
  ground = await layGround()
})
afterAll(() => ground.stop())

const orderOf = (id: string, more: Partial<OrderToImport> = {}): OrderToImport => ({
  backgroundCheckId: id,
  vendorOrderId: `V-${id}`,
  accountId: '7001',
  stages: [{ id: 'st-1', name: 'one', time: at }],
  canceled: false,
  ...more,
})
const bring = (order: OrderToImport) =>
  ground.database.transaction((sql) => importOrder(sql, ground.sealer, origin, order))
const cancel = (id: string) =>
  ground.database.transaction((sql) => cancelByCustomer(sql, ground.sealer, origin, id, 'reason'))
const create = (id: string) =>
  ground.database.transaction((sql) => receiveOrder(sql, ground.sealer, origin, orderToPlace(id)))
const kinds = (outcomes: readonly Imported[]) => outcomes.map((outcome) => outcome.kind).toSorted()

async function known(id: string) {
  const found = await ground.database.pool.query(
    `SELECT state, vendor_order_id, package_id, payload_sealed IS NOT NULL AS filled,
       (SELECT action FROM vendor_tasks WHERE subject = 'order:' || $1) AS task,
       EXISTS (SELECT 1 FROM poll_schedule WHERE background_check_id = $1) AS polled,
       (SELECT count(*)::int FROM deliveries WHERE background_check_id = $1) AS deliveries
     FROM orders WHERE background_check_id = $1`,
    [id],
  )
  return found.rows[0]
}

describe('an order that is imported', () => {
  it('is imported once by many at once', async () => {
    const id = freshId()
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => bring(orderOf(id))))
    expect(kinds(outcomes)).toEqual(['exists', 'exists', 'exists', 'exists', 'exists', 'exists', 'exists', 'imported'])
    expect(await known(id)).toMatchObject({ state: 'in_progress', polled: true, deliveries: 1 })
  })

  it('has a number of its own, whoever is faster', async () => {
    const ids = [freshId(), freshId(), freshId()]
    const outcomes = await Promise.all(ids.map((id) => bring(orderOf(id, { vendorOrderId: `V-of-${ids[0]}` }))))
    expect(kinds(outcomes)).toEqual(['imported', 'refused', 'refused'])
  })

  it('is filled in by its event, and not placed', async () => {
    const id = freshId()
    await bring(orderOf(id))
    await create(id)
    expect(await known(id)).toMatchObject({
      state: 'in_progress',
      vendor_order_id: `V-${id}`,
      package_id: 'pkg',
      filled: true,
      task: null,
      polled: true,
    })
  })

  it('is placed by its event or polled by its import, and never both, when the two meet', async () => {
    for (let round = 0; round < 25; round += 1) {
      const id = freshId()
      const [outcome] = await Promise.all([bring(orderOf(id)), create(id)])
      const order = await known(id)
      expect(order.filled).toBe(true)
      if (outcome.kind === 'imported') expect(order).toMatchObject({ task: null, polled: true, deliveries: 1 })
      else expect(order).toMatchObject({ state: 'received', task: 'place', polled: false, deliveries: 0 })
    }
  })

  it('stays stopped when the customer stops it meanwhile, and the vendor is told where it has the order', async () => {
    for (let round = 0; round < 25; round += 1) {
      const id = freshId()
      const [outcome] = await Promise.all([bring(orderOf(id)), cancel(id), create(id)])
      const order = await known(id)
      expect(order).toMatchObject({ state: 'canceled', polled: false })
      const told = outcome.kind === 'imported'
      expect([order.vendor_order_id, order.task]).toEqual(told ? [`V-${id}`, 'cancel'] : [null, null])
    }
  })

  it.each([
    ['over', { result: { result: 'x', time: at } }],
    ['stopped on both sides', { canceled: true }],
  ])('needs nobody to be told of the customer’s cancel when it is %s', async (_, more) => {
    const id = freshId()
    await cancel(id)
    expect(await bring(orderOf(id, more))).toEqual({ kind: 'exists' })
    expect(await known(id)).toMatchObject({ vendor_order_id: null, task: null })
  })

  it('of another tenant is refused, and that one stays', async () => {
    const id = freshId()
    await create(id)
    const before = await known(id)
    const other = { ...origin, tenantKey: 'tk_b' }
    const refused = await ground.database.transaction((sql) => importOrder(sql, ground.sealer, other, orderOf(id)))
    expect(refused).toEqual(await checkImport(ground.database.pool, other, orderOf(id)))
    expect(refused).toMatchObject({ kind: 'refused', issues: [{ path: 'background_check_id' }] })
    expect(await known(id)).toEqual(before)
  })
})
