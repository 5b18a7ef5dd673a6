import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { startChild } from '../support/child.js'
import { sum } from '../support/figures.js'
import type { Section } from '../support/report.js'
import { addOrders } from './rows.js'
import { intervalMs, type Settings } from './settings.js'
import { startPollingService, type World } from './world.js'

interface Held {
  orders: number
  keys: number
  bytes: number
}

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
    head: ['open orders', 'keys', 'bytes of all keys'],
    rows: held.map((each) => [String(each.orders), String(each.keys), String(each.bytes)]),
    aims: [
      { what: 'independent of the number of orders', figure: `${growth.toFixed(2)} times at most`, met: growth < 1.05 },
    ],
    gates: [{ what: 'keys in Redis with all orders against none', ratio: growth, most: 1.2 }],
  }
}

async function look(world: World, orders: number): Promise<Held> {
  const redis = new Redis(world.stores.redisUrl)
  await redis.flushall()
  const vendor = await startChild('polling/vendor')
  const service = await startPollingService(world, await vendor.ask<string>('url'), intervalMs)
  await sleep(3000)
  const keys = await redis.keys('*')
  const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)))
  redis.disconnect()
  await service.stop()
  await vendor.stop()
  return { orders, keys: keys.length, bytes: sum(sizes.map((size) => size ?? 0)) }
}
