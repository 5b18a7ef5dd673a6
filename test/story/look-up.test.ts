import { afterEach, expect, it } from 'vitest'
import { expectExactCalls, live, orderChecks, untilEnded } from './lives.js'
import { eventually, startWorld, type World } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

/** One check whose first progress is lost on the way, after it took effect or before. */
async function loseProgress(running: World, apply: boolean): Promise<string> {
  const orders = await orderChecks(running, ['plain'])
  const id = orders[0]?.id ?? ''
  running.feishu.addFault({ match: { api: 'update_progress' }, action: { kind: 'reset', apply } })
  await Promise.all(orders.map((order) => live(running, order)))
  await untilEnded(running, orders)
  expectExactCalls(running, orders)
  expect(running.feishu.checkPromises()).toEqual([])
  return id
}

async function progressShown(running: World, id: string) {
  const shown = await running.api('GET', `/v1/orders/${id}`)
  const deliveries = shown.body['deliveries'] as Array<Record<string, unknown>>
  return deliveries.find((each) => each['api'] === 'update_progress')
}

it('a call that took effect is found in the order list and not repeated', async () => {
  world = await startWorld()
  const id = await loseProgress(world, true)
  expect(world.feishu.calls({ api: 'update_progress' })).toHaveLength(1)
  expect(await progressShown(world, id)).toMatchObject({ state: 'delivered', confirmed: true })
})

it('a call that did not arrive is repeated after the order list said so three times', async () => {
  world = await startWorld()
  const id = await loseProgress(world, false)
  expect(world.feishu.calls({ api: 'background_check_orders.batch_query' })).toHaveLength(3)
  expect(world.feishu.calls({ api: 'update_progress' })).toHaveLength(2)
  expect(await progressShown(world, id)).toMatchObject({ state: 'delivered', confirmed: true })
})

it('where orders cannot be read the call is repeated, and a refusal of the repeat counts as its success', async () => {
  world = await startWorld({ feishu: { switches: { orderReads: false } } })
  const id = await loseProgress(world, true)
  expect(world.feishu.calls({ api: 'update_progress' })).toHaveLength(2)
  expect(await progressShown(world, id)).toMatchObject({ state: 'delivered', confirmed: false })
})

it('a token that died in between is renewed, and the look comes again', async () => {
  world = await startWorld()
  const running = world
  running.feishu.addFault({ match: { api: 'background_check_orders.batch_query' }, action: { kind: 'token_expired' } })
  const id = await loseProgress(running, true)
  await eventually(async () => (await progressShown(running, id))?.['confirmed']).toBe(true)
  expect(running.feishu.calls({ api: 'update_progress' })).toHaveLength(1)
  expect(running.feishu.calls({ api: 'background_check_orders.batch_query' })).toHaveLength(2)
})

it('looks that get no answer lead to no repeat, however many they are', async () => {
  world = await startWorld()
  const match = { api: 'background_check_orders.batch_query' } as const
  world.feishu.addFault({ match, action: { kind: 'garbage' }, times: 5 })
  const id = await loseProgress(world, true)
  expect(world.feishu.calls({ api: 'update_progress' })).toHaveLength(1)
  expect(world.feishu.calls(match)).toHaveLength(6)
  expect(await progressShown(world, id)).toMatchObject({ state: 'delivered', confirmed: true })
})
