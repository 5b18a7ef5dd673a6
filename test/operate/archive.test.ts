import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { moveOrders } from '../../src/flow/archive/move.js'
import { eraseOrder } from '../../src/flow/personal-data/erase.js'
import { ensureMonth, partitionOf } from '../../src/platform/database/months.js'
import { freshId } from '../support/room.js'
import { type Api, startOperators } from './harness.js'
import * as rows from './rows.js'
import { askOf, enter } from './visitor.js'

let api: Api
let id: string
/** What the interface said of the order before it was archived. */
let living: Record<string, unknown>

beforeAll(async () => {
  api = await startOperators()
})

afterAll(() => api.stop())

const read = (path: string) => api.call('GET', `/v1/${path}`)
const query = async (text: string, values: unknown[] = []) => (await api.parts.database.pool.query(text, values)).rows

beforeEach(async () => {
  id = freshId()
  await rows.addPolledOrder(api, id, `V-${id}`)
  const result = { api: 'update_result', body: { background_check_id: id, result: 'x', result_time: '1' } } as const
  const [first = '', second = '', third = ''] = await rows.addDeliveries(api, id, [
    rows.stage(id, 'st-1'),
    rows.stage(id, 'st-2'),
    result,
  ])
  const settled = { due_at: null, settled_at: new Date('2026-01-02T03:04:05.678Z'), attempts: 2 }
  await rows.setDelivery(api, first, { ...settled, state: 'delivered', confirmed: true })
  const last_error = { code: 1002860, http_status: 400, log_id: 'log-1', reason: 'late' }
  await rows.setDelivery(api, second, { ...settled, state: 'superseded', last_error, dead_class: null })
  await rows.setDelivery(api, third, {
    ...settled,
    state: 'dead',
    last_error: { http_status: 500 },
    dead_class: 'ours',
  })
  await rows.setOrder(api, id, { state: 'canceled' })
  const who = { actor: 'tester', via: 'api' } as const
  await api.parts.database.transaction((sql) => eraseOrder(sql, id, { force: false, who }))
  // An attempt that was under way when it was erased.
  await rows.setDelivery(api, third, { state: 'dead', last_error: { http_status: 500 }, dead_class: 'ours' })
  living = (await read(`orders/${id}`)).body
  const soon = new Date(Date.now() + 60_000)
  const moved = await api.parts.database.transaction((sql) => moveOrders(sql, [id], soon))
  expect(moved.moved).toBe(1)
})

describe('an order in the archive', () => {
  test('reads as it did before, and says since when it is there', async () => {
    const { status, body } = await read(`orders/${id}`)
    expect(status).toBe(200)
    const { archived_at: at, ...rest } = body
    expect(rest).toEqual(living)
    expect(Date.parse(String(at))).toBeGreaterThan(Date.now() - 60_000)
    expect(JSON.stringify(body)).not.toMatch(rows.personal)
  })

  test('is found by its whole id, and stands in no list', async () => {
    const { deliveries: _deliveries, timeline: _timeline, ...short } = living
    const found = (await read(`orders?q=${id}`)).body
    expect(found).toMatchObject({ items: [short], next_cursor: null })
    for (const path of ['orders', `orders?q=${id.slice(0, -1)}`, `orders?q=${id}&state=canceled`]) {
      expect(JSON.stringify((await read(path)).body['items'])).not.toContain(id)
    }
  })

  test.each([
    ['POST', 'poll'],
    ['POST', 'retry'],
    ['POST', 'cancel'],
    ['POST', 'result/resend'],
    ['POST', 'stages/st-1/resend'],
  ])('takes no %s %s: 409, with its line in the audit', async (method, path) => {
    const { status, body } = await api.call(method, `/v1/orders/${id}/${path}`)
    expect([status, body['type']]).toEqual([409, '/docs/problems#archived'])
    const [entry] = await query('SELECT outcome, after FROM audit ORDER BY id DESC LIMIT 1')
    expect(entry).toMatchObject({ outcome: 'refused', after: { problem: 'archived' } })
    expect(
      await query(`SELECT 1 FROM vendor_tasks UNION SELECT 1 FROM lanes WHERE lane = $1`, [`order:${id}`]),
    ).toEqual([])
  })

  test('holds nothing personal: an export is refused as erased, and erasing it again changes nothing', async () => {
    const exported = await read(`orders/${id}/personal-data`)
    expect([exported.status, exported.body['type']]).toEqual([409, '/docs/problems#erased'])
    const erased = await api.call('DELETE', `/v1/orders/${id}/personal-data`)
    expect([erased.status, erased.body['erased_at']]).toEqual([202, living['erased_at']])
    expect(await query('SELECT 1 FROM orders WHERE background_check_id = $1', [id])).toEqual([])
  })

  test('whose month was exported and taken off is not found, with the month', async () => {
    const month = new Date().toISOString().slice(0, 7)
    await query(`DROP TABLE ${partitionOf('archived_orders', month)}`)
    const { status, body } = await read(`orders/${id}`)
    expect([status, body['detail']]).toEqual([404, expect.stringContaining(month)])
    const erased = await api.call('DELETE', `/v1/orders/${id}/personal-data`)
    expect([erased.status, erased.body['detail']]).toEqual([404, expect.stringContaining(month)])
    await api.parts.database.transaction((sql) => ensureMonth(sql, 'archived_orders', month))
  })

  test('is shown by the console with a notice, and nothing to do with it', async () => {
    const { cookie } = await enter(api)
    const page = await (await askOf(api, 'GET', `/console/orders/${id}`, { cookie })).text()
    expect(page).toContain('This order is in the archive')
    expect(page).not.toContain(`/console/orders/${id}/`)
    expect(page).not.toContain('/console/deliveries/')
  })
})
