import { expect } from 'vitest'
import { everyLife, expectExactCalls, type Life, live, orderChecks, untilEnded } from '../story/lives.js'
import { eventually, startWorld, type World } from '../story/world.js'

/** Longer than a failover takes, and soon full: what was forgotten would be sent once more while Feishu still counts it. */
const windows = [{ limit: 8, windowMs: 4000 }]

const first: Life[] = ['stages', 'stages', 'vendor stops']
const others: Life[] = [...Array.from({ length: 4 }, () => everyLife).flat(), 'plain', 'canceled late', 'vendor stops']

export interface Incident {
  /** When each tenant has had a check, and so every window has been opened. */
  prepare?(): Promise<void>
  /** While windows are full and more waits; `someCalls` waits until Feishu has taken some more. */
  happen(someCalls: () => Promise<void>): Promise<void>
}

/**
 * Thirty checks of three tenants, with three processes by role and what `env` says of Redis. In the middle something
 * happens to Redis, and all of them come to their ends by themselves.
 */
export async function liveThrough(env: Record<string, string>, incident: Incident): Promise<void> {
  const world = await startWorld({
    env: { ...env, FEISHU_RATE_LIMITS: '8/4s', VENDOR_RATE_LIMITS: '40/1s' },
    // A machine with much else to do acknowledges late; what this is about is Redis.
    feishu: { rateLimits: windows, ackTimeoutMs: 20_000 },
    processes: ['receiver,poller', 'poller,sync', 'sync'],
  })
  try {
    const orders = [...(await lived(world, first)).orders]
    await untilEnded(world, orders)
    await incident.prepare?.()
    const applied = () => world.feishu.calls({ applied: true }).length
    const before = applied()
    const rest = await lived(world, others)
    await eventually(applied).toBeGreaterThan(before + 12)
    await incident.happen(async () => {
      const now = applied()
      await eventually(applied).toBeGreaterThan(now + 5)
    })
    const last = await lived(world, ['stages'])
    const then = applied()
    await eventually(applied).toBeGreaterThan(then)
    await Promise.all([rest.living, last.living])
    orders.push(...rest.orders, ...last.orders)
    await untilEnded(world, orders)
    expectExactCalls(world, orders)
    expect(world.feishu.checkPromises()).toEqual([])
  } finally {
    await world.stop()
  }
}

async function lived(world: World, lives: readonly Life[]) {
  const orders = await orderChecks(world, lives, 2)
  return { orders, living: Promise.all(orders.map((order) => live(world, order))) }
}
