import { Redis } from 'ioredis'
import { startChild } from '../support/child.js'
import { sum } from '../support/figures.js'
import type { Section } from '../support/report.js'
import { addOrders, dueWithin } from './rows.js'
import { intervalMs, type Settings } from './settings.js'
import type { Asked } from './vendor.js'
import { startPollingService, type World } from './world.js'

interface Held {
  orders: number
  polled: number
  /** Most that was seen. */
  keys: number
  bytes: number
}

const lookForMs = 3000

/** (d) What Redis holds while the service polls, with ever more open orders; fills the tables on the way. */
export async function memory(world: World, { orders, tenants }: Settings): Promise<Section> {
  const held = [await look(world, 0)]
  const some = orders / 10
  await addOrders(world, 1, some, tenants)
  held.push(await look(world, some))
  await addOrders(world, some + 1, orders, tenants)
  held.push(await look(world, orders))
  const bytes = held.map((each) => each.bytes)
  const growth = Math.max(...bytes) / Math.min(...bytes)
  return {
    title: '(d) What Redis holds while the service polls',
    head: ['open orders, all due', 'polled meanwhile', 'most keys', 'most bytes of all keys'],
    rows: held.map((each) => [each.orders, each.polled, each.keys, each.bytes].map(String)),
    aims: [
      { what: 'independent of the number of orders', figure: `${growth.toFixed(2)} times at most`, met: growth < 1.05 },
    ],
    notes: [`Looked at for ${lookForMs / 1000} s, as often as Redis answers.`],
  }
}

async function look(world: World, orders: number): Promise<Held> {
  if (orders > 0) await dueWithin(world, -60_000, intervalMs)
  const redis = new Redis(world.stores.redisUrl)
  await redis.flushall()
  const vendor = await startChild('polling/vendor')
  const service = await startPollingService(world, await vendor.ask<string>('url'), intervalMs)
  const held: Held = { orders, polled: 0, keys: 0, bytes: 0 }
  for (const end = performance.now() + lookForMs; performance.now() < end; ) {
    const keys = await redis.keys('*')
    const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)))
    held.keys = Math.max(held.keys, keys.length)
    held.bytes = Math.max(held.bytes, sum(sizes.map((size) => size ?? 0)))
  }
  held.polled = (await vendor.ask<Asked>('asked')).orders
  redis.disconnect()
  await service.stop()
  await vendor.stop()
  if (orders > 0 && held.polled === 0) throw new Error(`of ${orders} orders that were due none was polled`)
  return held
}
