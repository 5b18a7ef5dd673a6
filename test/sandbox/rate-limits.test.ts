import { afterEach, describe, expect, test } from 'vitest'
import { Windows, worstCount } from '../../src/sandbox/support/windows.js'
import {
  clientOf,
  customApp,
  placeOrder,
  progressPath,
  stageBody,
  startFeishu,
  stopAll,
  storeToken,
  tenantKey,
} from './support.js'

afterEach(stopAll)

const tight = [
  { limit: 3, windowMs: 60_000 },
  { limit: 2, windowMs: 30_000 },
]

describe('windows', () => {
  const limits = [{ limit: 2, windowMs: 1000 }]

  test('slide: an arrival leaves exactly one window later', () => {
    const windows = new Windows()
    expect(windows.arrive('b', limits, 0).over).toBe(false)
    expect(windows.arrive('b', limits, 600).over).toBe(false)
    expect(windows.arrive('b', limits, 999.9)).toMatchObject({ over: true, limit: 2, windowMs: 1000 })
    expect(windows.arrive('b', limits, 1600).over).toBe(false)
    expect(windows.worst()).toEqual([{ bucket: 'b', limit: 2, windowMs: 1000, worst: 3 }])
  })

  test('say when there is room again, refused arrivals counted', () => {
    const windows = new Windows()
    for (const at of [0, 100]) windows.arrive('b', limits, at)
    const over = windows.arrive('b', limits, 200)
    expect(over).toMatchObject({ over: true, resetMs: 900 })
    expect(windows.arrive('b', limits, 1100).over).toBe(false)
  })

  test('stay apart by bucket', () => {
    const windows = new Windows()
    for (const bucket of ['a', 'b', 'c']) {
      windows.arrive(bucket, limits, 0)
      expect(windows.arrive(bucket, limits, 0).over).toBe(false)
    }
  })

  test('keep counting over many arrivals', () => {
    const windows = new Windows()
    for (let at = 0; at < 20_000; at++) windows.arrive('b', [{ limit: 100, windowMs: 50 }], at)
    expect(windows.worst()[0]?.worst).toBe(50)
    expect(worstCount([5, 0, 999, 1000, 1004.5], 1000)).toBe(4)
  })
})

test('answers 99991400 with 429 and the time to wait, for each app, tenant and API on its own', async () => {
  const feishu = await startFeishu({ rateLimits: tight })
  const client = await clientOf(feishu)
  const id = placeOrder(feishu)
  for (const number of [1, 2]) expect((await client('POST', progressPath, stageBody(id, number))).code).toBe(0)
  const over = await client('POST', progressPath, stageBody(id, 3))
  expect(over).toMatchObject({ status: 429, code: 99991400, msg: 'request trigger frequency limit' })
  expect(over.headers.get('x-ogw-ratelimit-limit')).toBe('2')
  expect(Number(over.headers.get('x-ogw-ratelimit-reset'))).toBeGreaterThan(0)
  expect(over.headers.get('x-ogw-ratelimit-reset')).toMatch(/^\d+$/)
  expect(feishu.order(id).stages).toHaveLength(2)
  expect((await client('GET', 'background_check_orders')).code).toBe(0)
  const other = await clientOf(feishu, await storeToken(feishu, 'tk_two'))
  expect((await other('POST', progressPath, stageBody(id, 1))).code).toBe(1002862)
  const bucket = `${customApp.appId}|${tenantKey}|update_progress`
  expect(
    feishu
      .worstWindows()
      .filter((window) => window.bucket === bucket)
      .map(({ worst }) => worst),
  ).toEqual([3, 3])
  expect(feishu.checkPromises().map(({ rule }) => rule)).toEqual(['window_exceeded'])
})

test('counts what is malformed too, and not what has no token', async () => {
  const feishu = await startFeishu({ rateLimits: [{ limit: 1, windowMs: 60_000 }] })
  const stranger = await clientOf(feishu, 't-none')
  await stranger('POST', progressPath, {})
  const client = await clientOf(feishu)
  expect((await client('POST', progressPath, {})).code).toBe(99992402)
  expect((await client('POST', progressPath, {})).code).toBe(99991400)
})

test('lets exactly the limit of a burst through, and the journal shows the same windows', async () => {
  const feishu = await startFeishu({ rateLimits: [{ limit: 20, windowMs: 60_000 }] })
  const client = await clientOf(feishu)
  const answers = await Promise.all(Array.from({ length: 30 }, () => client('GET', 'background_check_orders')))
  expect(answers.filter(({ code }) => code === 0)).toHaveLength(20)
  expect(answers.filter(({ code }) => code === 99991400)).toHaveLength(10)
  const arrivals = feishu.calls({ api: 'background_check_orders.list' }).map(({ at }) => at)
  expect(worstCount(arrivals, 60_000)).toBe(30)
  expect(feishu.worstWindows()).toMatchObject([{ worst: 30 }])
})

test('holds the slow methods to their own window', async () => {
  const feishu = await startFeishu({ slowRateLimits: [{ limit: 1, windowMs: 60_000 }] })
  const client = await clientOf(feishu)
  expect((await client('GET', 'tripartite_agreements')).code).toBe(0)
  expect((await client('GET', 'tripartite_agreements')).code).toBe(99991400)
  expect((await client('POST', 'background_check_orders/batch_query', {})).code).toBe(0)
  expect((await client('POST', 'background_check_orders/batch_query', {})).code).toBe(99991400)
  for (let count = 0; count < 3; count++) expect((await client('GET', 'background_check_orders')).code).toBe(0)
})

test('says it with 400, without headers, or with fractions, as switches say', async () => {
  const feishu = await startFeishu({ rateLimits: [{ limit: 1, windowMs: 60_000 }] })
  const client = await clientOf(feishu)
  const read = async () => await client('GET', 'background_check_orders')
  await read()
  feishu.setSwitches({ rateLimitStatus: 400, rateLimitHeaders: 'absent' })
  const bare = await read()
  expect(bare).toMatchObject({ status: 400, code: 99991400 })
  expect(bare.headers.get('x-ogw-ratelimit-reset')).toBeNull()
  feishu.setSwitches({ rateLimitHeaders: 'fractional' })
  expect((await read()).headers.get('x-ogw-ratelimit-reset')).toMatch(/^\d+\.\d{3}$/)
})
