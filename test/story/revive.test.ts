import { afterEach, expect, it } from 'vitest'
import { until } from '../../src/sandbox/index.js'
import { live, orderChecks, untilEnded } from './lives.js'
import { eventually, startWorld, type World } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

async function deadDeliveries(running: World): Promise<Array<Record<string, unknown>>> {
  const { body } = await running.api('GET', '/v1/deliveries?state=dead')
  return body['items'] as Array<Record<string, unknown>>
}

it('a dead stage does not hold up the ones after it, and goes behind them when an operator sends it again', async () => {
  world = await startWorld()
  const running = world
  const [order] = await orderChecks(running, ['plain'])
  if (order === undefined) throw new Error('no order')
  const { feishu, vendor } = running
  await until('the order at the vendor', () => vendor.orderCount(order.id) === 1)
  feishu.addFault({ match: { api: 'update_progress' }, action: { kind: 'answer', httpStatus: 400, code: 99992402 } })
  vendor.addStage(order.id, { id: 'first', name: '身份核验' })
  vendor.addStage(order.id, { id: 'second', name: '学历核实' })
  await eventually(() => feishu.order(order.id).stages.map((stage) => stage.stageId)).toEqual(['second'])
  const [dead] = await deadDeliveries(running)
  expect(dead).toMatchObject({ api: 'update_progress', class: expect.any(String), last_error: { code: 99992402 } })
  const retried = await running.api('POST', `/v1/deliveries/${String(dead?.['id'])}/retry`)
  expect(retried).toMatchObject({ status: 202, body: { state: expect.not.stringContaining('dead') } })
  await eventually(() => feishu.order(order.id).stages.map((stage) => stage.stageId)).toEqual(['second', 'first'])
  expect((await running.api('GET', `/v1/orders/${order.id}`)).body['attention']).toEqual([])
  vendor.complete(order.id, { result: '无差异' })
  await untilEnded(running, [order])
  expect(feishu.checkPromises({ operatorOrders: [order.id] })).toEqual([])
})

it('a stage that Feishu may have is looked for under the time it was sent with, also when it goes behind others', async () => {
  // A stage that others wait behind is dead after a twelfth of the age.
  world = await startWorld({ env: { FEISHU_RETRY_MAX_AGE_MS: '6000' } })
  const running = world
  const { feishu, vendor } = running
  const [order] = await orderChecks(world, ['plain'])
  if (order === undefined) throw new Error('no order')
  await until('the order at the vendor', () => vendor.orderCount(order.id) === 1)
  feishu.addFault({ match: { api: 'update_progress' }, action: { kind: 'reset', apply: true } })
  const silence = { kind: 'answer', httpStatus: 500, code: 1002001 } as const
  const silent = feishu.addFault({
    match: { api: 'background_check_orders.batch_query' },
    action: silence,
    times: 'always',
  })
  vendor.addStage(order.id, { id: 'first', name: '身份核验' })
  vendor.addStage(order.id, { id: 'second', name: '学历核实' })
  await eventually(() => feishu.order(order.id).stages.map((stage) => stage.stageId)).toEqual(['first', 'second'])
  const [dead] = await deadDeliveries(running)
  expect(dead).toMatchObject({ api: 'update_progress', class: 'unconfirmed' })
  feishu.clearFaults(silent)
  await running.api('POST', `/v1/deliveries/${String(dead?.['id'])}/retry`)
  await eventually(async () => (await running.api('GET', `/v1/deliveries/${String(dead?.['id'])}`)).body).toMatchObject(
    {
      state: 'delivered',
      confirmed: true,
    },
  )
  expect(feishu.calls({ api: 'update_progress' })).toHaveLength(2)
})

it('what died behind a result stays dead, and the operator is told why', async () => {
  world = await startWorld()
  const running = world
  const [order] = await orderChecks(running, ['plain'])
  if (order === undefined) throw new Error('no order')
  running.feishu.addFault({
    match: { api: 'update_progress' },
    action: { kind: 'answer', httpStatus: 400, code: 99992402 },
  })
  await live(running, order)
  await untilEnded(running, [order])
  // Feishu has the result before we have its answer.
  await eventually(async () => (await running.api('GET', `/v1/orders/${order.id}`)).body['state']).toBe('completed')
  const [dead] = await deadDeliveries(running)
  const { status, body } = await running.api('POST', `/v1/deliveries/${String(dead?.['id'])}/retry`)
  expect({ status, detail: body['detail'] }).toEqual({ status: 409, detail: expect.stringContaining('completed') })
  expect(running.feishu.checkPromises()).toEqual([])
})

it('sends many dead deliveries again by a filter, after a dry run that changes nothing', async () => {
  world = await startWorld()
  const running = world
  const orders = await orderChecks(running, ['no stages', 'no stages', 'no stages'])
  const refusal = { kind: 'answer', httpStatus: 400, code: 99992402 } as const
  running.feishu.addFault({ match: { api: 'update_result' }, action: refusal, times: 3 })
  await Promise.all(orders.map((order) => live(running, order)))
  await eventually(async () => (await deadDeliveries(running)).length).toBe(3)
  const filter = { api: 'update_result' }
  const dry = await running.api('POST', '/v1/deliveries/retry', { filter, dry_run: true })
  expect(dry).toMatchObject({ status: 202, body: { dry_run: true, matched: 3 } })
  expect(await deadDeliveries(running)).toHaveLength(3)
  const other = await running.api('POST', '/v1/deliveries/retry', { filter: { api: 'cancel' } })
  expect(other.body).toMatchObject({ matched: 0 })
  expect((await running.api('POST', '/v1/deliveries/retry', { filter: { colour: 'red' } })).status).toBe(400)
  const real = await running.api('POST', '/v1/deliveries/retry', { filter })
  expect(real).toMatchObject({ status: 202, body: { matched: 3, refused: [] } })
  await untilEnded(running, orders)
  expect(running.feishu.checkPromises({ operatorOrders: orders.map(({ id }) => id) })).toEqual([])
})
