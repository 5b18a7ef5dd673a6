import { afterEach, describe, expect, test } from 'vitest'
import { type FaultAction, seededFaults } from '../../src/sandbox/index.js'
import { FaultPlan } from '../../src/sandbox/support/faults.js'
import { clientOf, customToken, placeOrder, progressPath, stageBody, startFeishu, stopAll } from './support.js'

afterEach(stopAll)

async function ready() {
  const feishu = await startFeishu()
  const id = placeOrder(feishu)
  return { feishu, id, client: await clientOf(feishu), url: `${feishu.url}/open-apis/hire/v1/${progressPath}` }
}

describe.each([false, true])('applied first: %s', (apply) => {
  test.each<FaultAction>([
    { kind: 'reset', apply },
    { kind: 'hang', apply },
    { kind: 'garbage', apply },
  ])('$kind leaves the caller without an answer', async (action) => {
    const { feishu, id, url, client } = await ready()
    feishu.addFault({ match: { api: 'update_progress' }, action })
    const authorization = `Bearer ${await customToken(feishu)}`
    const headers = { authorization, 'content-type': 'application/json' }
    const body = JSON.stringify(stageBody(id, 1))
    const call = fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(100) })
    await expect(call.then((response) => response.json())).rejects.toThrow()
    const [record] = await feishu.untilCalls({ api: 'update_progress' })
    expect(record).toMatchObject({
      applied: apply,
      answered: false,
      fault: apply ? `${action.kind} after applying` : action.kind,
    })
    expect(feishu.order(id).stages).toHaveLength(apply ? 1 : 0)
    expect((await client('POST', progressPath, stageBody(id, 1))).code).toBe(apply ? 1002001 : 0)
    expect(feishu.checkPromises()).toEqual([])
  })

  test('server_error is 500 with 1002001', async () => {
    const { feishu, id, client } = await ready()
    feishu.addFault({ action: { kind: 'server_error', apply } })
    expect(await client('POST', progressPath, stageBody(id, 1))).toMatchObject({ status: 500, code: 1002001 })
    expect(feishu.order(id).stages).toHaveLength(apply ? 1 : 0)
  })
})

test('answers with any status and code, as often as planned, for the calls that match', async () => {
  const { feishu, id, client } = await ready()
  const other = placeOrder(feishu)
  feishu.addFault({
    match: { backgroundCheckId: id },
    action: { kind: 'answer', httpStatus: 503, code: 5000, msg: 'reduce frequency', headers: { 'retry-after': '2' } },
    times: 2,
  })
  expect((await client('POST', progressPath, stageBody(other, 1))).code).toBe(0)
  const failed = await client('POST', progressPath, stageBody(id, 1))
  expect(failed).toMatchObject({ status: 503, code: 5000, msg: 'reduce frequency' })
  expect(failed.headers.get('retry-after')).toBe('2')
  expect((await client('POST', progressPath, stageBody(id, 1))).status).toBe(503)
  expect((await client('POST', progressPath, stageBody(id, 1))).code).toBe(0)
  expect(feishu.faults()).toEqual([])
})

test('plays token_expired, rate_limited with any reset, and slow', async () => {
  const { feishu, id, client } = await ready()
  feishu.addFault({ action: { kind: 'token_expired' } })
  feishu.addFault({ action: { kind: 'rate_limited', resetSeconds: 'soon' } })
  feishu.addFault({ action: { kind: 'slow', ms: 5 } })
  expect((await client('POST', progressPath, stageBody(id, 1))).code).toBe(99991663)
  const limited = await client('POST', progressPath, stageBody(id, 1))
  expect(limited).toMatchObject({ status: 429, code: 99991400 })
  expect(limited.headers.get('x-ogw-ratelimit-reset')).toBe('soon')
  expect((await client('POST', progressPath, stageBody(id, 1))).code).toBe(0)
})

test('plays a fault always, until it is taken back', async () => {
  const { feishu, id, client } = await ready()
  const fault = feishu.addFault({ action: { kind: 'server_error' }, times: 'always' })
  for (let count = 0; count < 3; count++)
    expect((await client('POST', progressPath, stageBody(id, 1))).status).toBe(500)
  expect(feishu.faults()).toMatchObject([{ id: fault, taken: 3 }])
  feishu.clearFaults(fault)
  expect((await client('POST', progressPath, stageBody(id, 1))).code).toBe(0)
})

test('plays the token endpoints false too', async () => {
  const feishu = await startFeishu()
  feishu.addFault({ match: { api: 'auth.tenant_access_token.internal' }, action: { kind: 'server_error' } })
  expect(await customToken(feishu)).toBe('undefined')
  expect(await customToken(feishu)).toMatch(/^t-/)
})

test('is over when its time is', () => {
  const plan = new FaultPlan<{ api?: string }>()
  plan.add({ action: { kind: 'hang' }, forMs: -1 })
  plan.add({ action: { kind: 'reset' }, forMs: 60_000 })
  expect([plan.take({}), plan.take({})]).toEqual([{ kind: 'reset' }, { kind: 'reset' }])
})

test('draws the same random faults from the same seed, about as often as asked', () => {
  const draw = (seed: number) => {
    const source = seededFaults<{ api?: string }>(seed, { reset: 0.1, lostAnswer: 0.2 }, (call) => call.api === 'a')
    return Array.from({ length: 1000 }, () => source({ api: 'a' }))
  }
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
  const lost = draw(7).filter((action) => action && 'apply' in action && action.apply).length
  expect(lost).toBeGreaterThan(150)
  expect(lost).toBeLessThan(250)
  expect(seededFaults<{ api?: string }>(7, { reset: 1 }, (call) => call.api === 'a')({ api: 'b' })).toBeUndefined()
  expect(() => seededFaults(1, { reset: 0.6, hang: 0.6 })).toThrow(/add up to 1.2/)
})

test('plays random faults at the door', async () => {
  const { feishu, id, client } = await ready()
  feishu.useFaults(seededFaults(1, { serverError: 1 }))
  expect((await client('POST', progressPath, stageBody(id, 1))).status).toBe(500)
  feishu.clearFaults()
  expect((await client('POST', progressPath, stageBody(id, 1))).code).toBe(0)
})
