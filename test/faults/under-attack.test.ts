import { connect, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { until } from '../../src/sandbox/index.js'
import { customApp, eventually, startWorld, type World } from '../story/world.js'
import { head } from '../support/raw-http.js'
import { defaultPath } from '../support/receiving.js'
import { forgedEvents } from './forged-events.js'
import { send } from './hostile.js'

let world: World | undefined
const sockets: Socket[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await world?.stop()
  world = undefined
})

/** Slow senders that stay, and forgeries one after the other until told to stop. */
function attack(port: number) {
  for (let index = 0; index < 300; index += 1) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    sockets.push(socket.resume())
    socket.write(head(defaultPath, [['Content-Length', '900000']]).slice(0, index % 2 === 0 ? 40 : undefined))
  }
  const forgeries = forgedEvents().filter(({ bytes }) => bytes.length < 8000)
  const statuses = new Set<number | null>()
  let over = false
  const attacker = async () => {
    for (let index = 0; !over; index += 1) {
      const forgery = forgeries[index % forgeries.length]
      if (forgery !== undefined) statuses.add((await send(port, forgery.bytes)).status)
    }
  }
  const attackers = Promise.all([attacker(), attacker(), attacker()])
  return async () => {
    over = true
    await attackers
    return [...statuses]
  }
}

it('every honest order is acknowledged and reaches the vendor while forgeries pour in', async () => {
  world = await startWorld()
  const { feishu, vendor, apps } = world
  const customer = { appId: customApp.appId, tenantKey: 'tk_custom' }
  const endAttack = attack(apps[0]?.port ?? 0)
  const { accountId } = feishu.createAccount(customer)
  const orders = Array.from({ length: 30 }, () => feishu.createOrder({ ...customer, accountId }).backgroundCheckId)
  for (const id of orders)
    await until('the order at the vendor', () => vendor.orderCount(id) === 1, { timeoutMs: 60_000 })
  const statuses = await endAttack()
  expect(statuses).toEqual([401])
  const pushed = feishu.events().filter(({ appId }) => appId === customApp.appId)
  expect(pushed.map(({ acknowledged }) => acknowledged)).toEqual(Array(31).fill(true))
  expect(pushed.flatMap(({ attempts }) => attempts).filter(({ httpStatus }) => httpStatus === 401)).toEqual([])
  await eventually(async () => (await world?.api('GET', '/v1/orders?limit=200'))?.body['items']).toHaveLength(30)
})
