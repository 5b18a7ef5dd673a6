import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createBreaker } from '../../../src/flow/vendor/breaker.js'
import { feedParking, startVendorWatch } from '../../../src/flow/vendor/parking.js'
import type { Started } from '../../../src/platform/lifetime.js'
import { orderChecks } from '../../story/lives.js'
import { callApi, eventually, startWorld } from '../../story/world.js'
import { type Ground, layGround } from '../../support/room.js'

const cleanups: Array<() => Promise<void>> = []
let ground: Ground

beforeEach(async () => {
  ground = await layGround()
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  await ground.stop()
})

interface HoldRow {
  scope: string
  api: string
  reason: string
  open: boolean
}

const holds = async (open?: true) => {
  const text = `SELECT scope, api, reason, released_at IS NULL AS open FROM holds
    WHERE $1::boolean IS NULL OR released_at IS NULL ORDER BY id`
  return (await ground.database.pool.query<HoldRow>(text, [open ?? null])).rows
}

/** A process whose clock stands still: its breaker opens and closes as it is told. */
function startProcess() {
  const clock = { now: 0 }
  const rules = { failuresToOpen: 1, openMs: 3_600_000, maxOpenMs: 3_600_000, random: () => 1 }
  const breaker = createBreaker({ ...rules, now: () => clock.now })
  const probes: string[] = []
  const states: string[] = []
  const watch = startVendorWatch({
    sql: ground.another().pool,
    log: ground.log,
    breaker,
    probe: () => void probes.push(breaker.state()),
    onState: (state) => void states.push(state),
    everyMs: 20,
  })
  const stop = cleanup(watch)
  return { breaker, clock, probes, states, stop }
}

/** Stopped once, by the test or after it. */
function cleanup(started: Started): () => Promise<void> {
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= started.stop()
    return stopped
  }
  cleanups.push(stop)
  return stop
}

const hold = { scope: 'vendor', api: 'vendor', reason: 'GET /orders answered 500', open: true }

describe('the hold of a vendor that is not called', () => {
  it('is there while the breaker is open and goes when it closes', async () => {
    const { breaker, clock, states } = startProcess()
    breaker.failed('retry', hold.reason)
    await eventually(() => holds()).toEqual([hold])
    clock.now += 3_600_000
    breaker.admit()
    await eventually(() => states.at(-1)).toBe('half_open')
    expect(await holds(true)).toEqual([hold])
    breaker.succeeded()
    await eventually(() => holds()).toEqual([{ ...hold, open: false }])
    expect(states.at(-1)).toBe('closed')
  })

  it('says the latest reason, also that of a wrong configuration', async () => {
    const { breaker, clock } = startProcess()
    breaker.failed('misconfigured', 'POST /orders answered 401: the key is not accepted')
    await eventually(() => holds(true)).toMatchObject([{ reason: expect.stringContaining('the key') }])
    clock.now += 3_600_000
    breaker.admit()
    breaker.failed('retry', hold.reason)
    await eventually(() => holds()).toEqual([hold])
  })

  it('that an operator releases has the vendor probed at once, and comes again when the probe fails', async () => {
    const { breaker, probes, states } = startProcess()
    breaker.failed('retry', hold.reason)
    await eventually(() => holds()).toEqual([hold])
    await ground.database.pool.query('UPDATE holds SET released_at = now()')
    await eventually(() => probes).toEqual(['half_open'])
    const turns = states.length
    await eventually(() => states.length).toBeGreaterThan(turns + 3)
    expect(await holds(true)).toEqual([])
    expect(breaker.admit()).toEqual({ admitted: true })
    breaker.failed('retry', 'still away')
    await eventually(() => holds()).toEqual([
      { ...hold, open: false },
      { ...hold, reason: 'still away' },
    ])
    expect(probes).toHaveLength(1)
  })

  it('stands while one process is stopped and another goes on, as one row', async () => {
    const [stopped, other] = [startProcess(), startProcess()]
    stopped.breaker.failed('retry', hold.reason)
    await eventually(() => holds()).toEqual([hold])
    const turns = other.states.length
    await eventually(() => other.states.length).toBeGreaterThan(turns + 3)
    expect(await holds()).toEqual([hold])
    await stopped.stop()
    expect(await holds()).toEqual([{ ...hold, open: false }])
  })

  it('of a process that died is released by another, a minute after its last word', async () => {
    const dead = startProcess()
    dead.breaker.failed('retry', hold.reason)
    await eventually(() => holds()).toEqual([hold])
    await dead.stop()
    await ground.database.pool.query('UPDATE holds SET released_at = NULL')
    const { states } = startProcess()
    await eventually(() => states.length).toBeGreaterThan(3)
    expect(await holds(true)).toHaveLength(1)
    await ground.database.pool.query(`UPDATE holds SET seen_at = now() - interval '61 seconds'`)
    await eventually(() => holds(true)).toEqual([])
  })
})

it('the hold of a feed that is broken goes when it is found, and no other', async () => {
  const { pool } = ground.database
  const [changes, tripartite] = [feedParking(pool, 'changes'), feedParking(pool, 'tripartite')]
  await changes.onBroken('GET /orders?changed_after=… answered 500')
  await tripartite.onBroken('has_more is true')
  await tripartite.onBroken('answered 500')
  await changes.onFound()
  expect(await holds(true)).toEqual([
    { scope: 'vendor', api: 'vendor.tripartite', reason: 'the feed cannot be read: answered 500', open: true },
  ])
})

it('a process that only receives shows that the others do not call the vendor, and its release has them try', async () => {
  const world = await startWorld({ mode: 'redis', gated: 'vendor', processes: ['receiver', 'poller,sync'] })
  cleanups.push(() => world.stop())
  await world.gate?.shut()
  await orderChecks(world, ['plain', 'plain', 'plain', 'plain', 'plain', 'plain'])
  const shown = async () => (await world.api('GET', '/v1/holds')).body['items'] as Array<Record<string, unknown>>
  await eventually(shown).toMatchObject([
    { scope: 'vendor', api: 'vendor', reason: expect.stringContaining('ECONNREFUSED') },
  ])
  const poller = `http://127.0.0.1:${world.apps[1]?.port}`
  const metrics = async () => await (await fetch(`${poller}/metrics`)).text()
  expect(await metrics()).toMatch(/^bgc_vendor_breaker_open (1|0\.5)$/m)
  const [first] = await shown()
  await world.gate?.open()
  const { status } = await callApi(world.url, 'POST', `/v1/holds/${String(first?.['id'])}/release`)
  expect([202, 409]).toContain(status)
  await eventually(() => world.vendor.orders().length).toBe(6)
  await eventually(shown).toEqual([])
  await eventually(metrics).toMatch(/^bgc_vendor_breaker_open 0$/m)
})
