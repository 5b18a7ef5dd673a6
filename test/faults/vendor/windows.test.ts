import { setMaxListeners } from 'node:events'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createBreaker } from '../../../src/flow/vendor/breaker.js'
import { guardVendor } from '../../../src/flow/vendor/guarded.js'
import { createHttpVendor } from '../../../src/flow/vendor/http.js'
import { createVendorWindows } from '../../../src/flow/vendor/windows.js'
import type { Limiter, RateWindow } from '../../../src/platform/limiter/limiter.js'
import { memoryLimiter } from '../../../src/platform/limiter/memory.js'
import { redisLimiter } from '../../../src/platform/limiter/redis.js'
import { type SandboxVendor, startSandboxVendor, type VendorOptions } from '../../../src/sandbox/index.js'
import { orderToPlace } from '../../support/order-to-place.js'
import { type StartedRedis, startRedis } from '../../support/redis.js'
import { freshId, type Ground, layGround, one } from '../../support/room.js'

const apiKey = 'vendor-key-of-the-sandbox'
const never = { signal: new AbortController().signal }
setMaxListeners(0, never.signal)
const hour = 3_600_000

let server: StartedRedis
let ground: Ground
let vendor: SandboxVendor

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

beforeEach(async () => {
  ground = await layGround()
  await server.flush()
})
afterEach(async () => {
  await vendor.stop()
  await ground.stop()
})

async function startVendor(options: Partial<VendorOptions> = {}): Promise<void> {
  vendor = await startSandboxVendor({ apiKey, ...options })
}

interface Means {
  limiter: Limiter
  windows: readonly RateWindow[]
  waitMs?: number
  alone?: boolean
}

/** A process' way to the vendor. */
function processWith({ limiter, windows, waitMs = 20_000, alone = false }: Means) {
  const http = createHttpVendor({ baseUrl: vendor.url, apiKey, timeoutMs: 5000 })
  onTestFinished(async () => http.stop?.())
  const { database, log } = ground
  const host = new URL(vendor.url).host
  const pauses: number[] = []
  const guarded = guardVendor(http, {
    breaker: createBreaker({ failuresToOpen: 5, openMs: 1000, maxOpenMs: 8000, now: () => 0, random: () => 1 }),
    concurrency: 16,
    windows: createVendorWindows({ database, limiter, log, host, windows, timeoutMs: 5000, alone }),
    waitMs,
    onPause: (ms) => void pauses.push(ms),
  })
  const place = () => guarded.placeOrder({ ...orderToPlace(freshId()), accountId: '1' }, never)
  const poll = (id = 'V-1') => guarded.getOrder(id, never)
  return { guarded, place, poll, pauses }
}

/** Two processes on one Redis, or the two halves of the only process. */
const stores = [
  [
    'redis',
    () => {
      const client = () => {
        const redis = new Redis(server.url)
        onTestFinished(() => redis.disconnect())
        return redisLimiter({ redis })
      }
      return [client(), client()]
    },
  ],
  [
    'memory',
    () => {
      const limiter = memoryLimiter()
      return [limiter, limiter]
    },
  ],
] as const

describe.each(stores)('windows over all processes, in %s', (_name, open) => {
  it('are never exceeded at the vendor’s door, whatever verbs two processes call', async () => {
    const windows = [
      { limit: 8, windowMs: 300 },
      { limit: 20, windowMs: 1000 },
    ]
    await startVendor({ rateLimits: windows })
    const processes = open().map((limiter) => processWith({ limiter: limiter as Limiter, windows }))
    const calls = processes.flatMap(({ place, poll }) => [
      ...Array.from({ length: 8 }, place),
      ...Array.from({ length: 14 }, () => poll()),
    ])
    const answers = await Promise.all(calls)
    expect(answers.map((answer) => answer.kind)).toEqual(answers.map(() => 'ok'))
    expect(vendor.calls({ httpStatus: 429 })).toEqual([])
    expect(vendor.worstWindows().map(({ limit, worst }) => worst <= limit)).toEqual([true, true])
    expect(vendor.calls()).toHaveLength(44)
  })

  it('count each request of one verb', async () => {
    const windows = [{ limit: 4, windowMs: 100 }]
    await startVendor({ rateLimits: windows })
    const [limiter] = open()
    const { guarded } = processWith({ limiter: limiter as Limiter, windows })
    // Ids with commas are asked for one by one.
    const ids = Array.from({ length: 9 }, (_, index) => `V,${index}`)
    expect(await guarded.getOrders?.(ids, never)).toEqual({ kind: 'ok', value: [] })
    expect(vendor.calls({ operation: 'orders.get' })).toHaveLength(9)
    expect(vendor.calls({ httpStatus: 429 })).toEqual([])
  })

  it('are closed for all processes by a 429 with Retry-After, and waiting is no attempt', async () => {
    const windows = [{ limit: 100, windowMs: 1000 }]
    await startVendor()
    const [one_, other] = open().map((limiter) => processWith({ limiter: limiter as Limiter, windows, waitMs: 50 }))
    await other?.poll()
    vendor.addFault({ action: { kind: 'rate_limited', resetSeconds: 600 } })
    expect(await one_?.poll()).toMatchObject({ kind: 'retry', status: 429, retryAfterMs: 600_000 })
    expect(one_?.pauses).toEqual([600_000])
    const before = vendor.calls().length
    for (const call of [one_?.poll, one_?.place, other?.poll, other?.place]) {
      const answer = await call?.()
      expect(answer).toMatchObject({ kind: 'retry', held: true, ambiguous: false })
      expect(answer && 'retryAfterMs' in answer ? answer.retryAfterMs : 0).toBeGreaterThan(500_000)
    }
    expect(vendor.calls()).toHaveLength(before)
  })
})

/** The limiter of one process on a clock that stands still until it is moved. */
function frozen() {
  const clock = { now: performance.now() }
  const limiter = memoryLimiter({ now: () => clock.now })
  // How old a slot is, is asked of the real clock.
  const take: Limiter['take'] = async (...asked) => {
    const askedAt = performance.now()
    const grant = await limiter.take(...asked)
    if (grant.kind !== 'granted') return grant
    return { ...grant, slots: grant.slots.map((slot) => ({ ...slot, askedAt })) }
  }
  return { clock, limiter: { ...limiter, take } }
}

describe('what is urgent', () => {
  it('finds a quarter of each window kept free of polls', async () => {
    await startVendor()
    const windows = [{ limit: 8, windowMs: hour }]
    const { limiter } = frozen()
    const { poll, place } = processWith({ limiter, windows, waitMs: 0 })
    const polls = await Promise.all(Array.from({ length: 20 }, () => poll()))
    expect(polls.filter(({ kind }) => kind === 'ok')).toHaveLength(6)
    expect(await place()).toMatchObject({ kind: 'ok' })
    expect(await place()).toMatchObject({ kind: 'ok' })
    expect(await place()).toMatchObject({ kind: 'retry', held: true })
    expect(vendor.calls({ operation: 'orders.create' })).toHaveLength(2)
  })

  it('finds a quarter of the places kept free of polls that hang', async () => {
    await startVendor()
    vendor.addFault({ match: { operation: 'orders.get' }, action: { kind: 'hang' }, times: 'always' })
    const { limiter } = frozen()
    const { poll, place } = processWith({ limiter, windows: [{ limit: 1000, windowMs: 1000 }] })
    const stop = Promise.all(Array.from({ length: 40 }, () => poll()))
    await expect.poll(() => vendor.calls({ operation: 'orders.get' }).length, { timeout: 20_000 }).toBe(12)
    expect(await place()).toMatchObject({ kind: 'ok' })
    await vendor.stop()
    await stop
  })
})

describe('a limiter that lost its memory', () => {
  it('is rebuilt once for all who find the same loss', async () => {
    await startVendor()
    const { limiter } = frozen()
    const slow: Limiter = {
      ...limiter,
      rebuild: async (...given) => {
        await new Promise((resolve) => setTimeout(resolve, 100))
        return limiter.rebuild(...given)
      },
    }
    const { poll } = processWith({ limiter: slow, windows: [{ limit: 8, windowMs: hour }], waitMs: 0 })
    const polls = await Promise.all(Array.from({ length: 20 }, () => poll()))
    expect(polls.filter(({ kind }) => kind === 'ok')).toHaveLength(6)
  })

  it('counts every window as full once the vendor was called before, for one window', async () => {
    await startVendor()
    const windows = [{ limit: 2, windowMs: 1000 }]
    expect(await processWith({ limiter: frozen().limiter, windows, waitMs: 0 }).place()).toMatchObject({ kind: 'ok' })
    const { clock, limiter } = frozen()
    const next = processWith({ limiter, windows, waitMs: 0, alone: true })
    expect(await next.place()).toMatchObject({ kind: 'retry', held: true })
    clock.now += 1001
    expect(await next.place()).toMatchObject({ kind: 'ok' })
  })

  it('has one bucket for each host, whose epoch is a row', async () => {
    await startVendor()
    await processWith({ limiter: frozen().limiter, windows: [{ limit: 2, windowMs: 1000 }] }).place()
    const text = `SELECT api, epoch <> '' AS named FROM buckets WHERE app_id = ''`
    expect(await one(ground.database, text)).toEqual({ api: `vendor ${new URL(vendor.url).host}`, named: true })
  })
})

it('is not called while nobody knows its windows', async () => {
  await startVendor()
  const away: Limiter = {
    ...memoryLimiter(),
    take: () => Promise.reject(new Error('the store is away')),
  }
  const { place } = processWith({ limiter: away, windows: [{ limit: 2, windowMs: 1000 }], waitMs: 0 })
  expect(await place()).toMatchObject({ kind: 'retry', held: true, ambiguous: false })
  expect(vendor.calls()).toEqual([])
})

it('is not called for a claim that ended during the wait, whose slot goes back', async () => {
  await startVendor()
  const { guarded, place } = processWith({
    limiter: frozen().limiter,
    windows: [{ limit: 1, windowMs: hour }],
    waitMs: 0,
  })
  const order = { ...orderToPlace(freshId()), accountId: '1' }
  expect(await guarded.placeOrder(order, { ...never, stillWanted: async () => false })).toMatchObject({ held: true })
  expect(vendor.calls()).toEqual([])
  expect(await place()).toMatchObject({ kind: 'ok' })
})

it('rests in its own process after a 429 with Retry-After also without windows', async () => {
  await startVendor()
  const http = createHttpVendor({ baseUrl: vendor.url, apiKey, timeoutMs: 5000 })
  const breaker = createBreaker({ failuresToOpen: 5, openMs: 1000, maxOpenMs: 8000, now: () => 0, random: () => 1 })
  const guarded = guardVendor(http, { breaker, concurrency: 4, waitMs: 0 })
  vendor.addFault({ action: { kind: 'rate_limited', resetSeconds: 600 } })
  await guarded.getOrder('V-1', never)
  expect(await guarded.getOrder('V-1', never)).toMatchObject({ held: true })
  expect(vendor.calls()).toHaveLength(1)
  await http.stop?.()
})
