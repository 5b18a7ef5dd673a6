import { afterEach, describe, expect, it } from 'vitest'
import { findRoute } from '../../src/operate/api/find-route.js'
import { createRates, usualRates } from '../../src/operate/api/rates.js'
import { routes } from '../../src/operate/api/routes.js'
import { type Api, secrets, startOperators } from './harness.js'

const key = (name: string) => ({ name, secret: '', scopes: [] })
const list = findRoute(routes, 'GET', '/v1/orders')
const notice = findRoute(routes, 'POST', '/v1/vendor/orders/V-1/changed')

describe('the requests of a key', () => {
  it('are counted until its quota is used up, and again when the window is over', () => {
    let now = 0
    const count = createRates({ ...usualRates, requests: { quota: 2, windowMs: 60_000 } }, () => now)
    const left = () => count(key('a'), list).headers['RateLimit']
    expect([left(), left()]).toEqual(['"requests";r=1;t=60', '"requests";r=0;t=60'])
    now = 59_001
    expect(count(key('a'), list)).toEqual({
      headers: { 'RateLimit-Policy': '"requests";q=2;w=60', RateLimit: '"requests";r=0;t=1' },
      refusal: expect.objectContaining({ name: 'too-many-requests', headers: { 'Retry-After': '1' } }),
    })
    now = 60_000
    expect(left()).toBe('"requests";r=1;t=60')
  })

  it('are counted for each key alone, and those that nothing answers as well', () => {
    const count = createRates({ ...usualRates, requests: { quota: 1, windowMs: 1000 } })
    expect(count(key('a'), findRoute(routes, 'GET', '/v1/nothing')).refusal).toBeUndefined()
    expect(count(key('a'), list).refusal).toBeDefined()
    expect(count(key('b'), list).refusal).toBeUndefined()
  })

  it('leave the notices of the vendor alone, which have a larger quota of their own', () => {
    const count = createRates({ ...usualRates, requests: { quota: 0, windowMs: 1000 } })
    expect(count(key('a'), list).refusal).toBeDefined()
    for (let index = 0; index < 10_000; index += 1) expect(count(key('a'), notice).refusal).toBeUndefined()
    expect(usualRates.notices.quota).toBeGreaterThanOrEqual(usualRates.requests.quota * 10)
  })
})

describe('over HTTP', () => {
  let api: Api
  afterEach(() => api.stop())
  const headersOf = async (path: string, secret: string | null = secrets.all) =>
    (await api.call('GET', path, { secret })).headers

  it('each answer to a key says what is left, whatever the answer is', async () => {
    api = await startOperators({ rates: usualRates })
    const left: Array<string | null> = []
    for (const path of ['/v1/orders', '/v1/orders/1', '/v1/nothing', '/v1/orders?limit=0', '/v1/orders/1/poll']) {
      const headers = await headersOf(path)
      expect(headers.get('ratelimit-policy')).toBe('"requests";q=1200;w=60')
      left.push(/r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1] ?? null)
    }
    expect(left).toEqual(['1199', '1198', '1197', '1196', '1195'])
    expect((await headersOf('/v1/orders', null)).get('ratelimit')).toBeNull()
    const notices = await api.call('POST', '/v1/vendor/orders/V-1/changed', { secret: secrets.notify })
    expect(notices.headers.get('ratelimit')).toBe('"notices";r=59999;t=60')
  })

  it('one too many is 429, does nothing, and does not take the key’s place at its notices', async () => {
    const requests = { quota: 1, windowMs: 60_000 }
    api = await startOperators({ rates: { ...usualRates, requests } })
    await api.call('GET', '/v1/orders')
    const { status, headers, body } = await api.call('POST', '/v1/sweeps/run')
    expect([status, body['type']]).toEqual([429, '/docs/problems#too-many-requests'])
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60)
    expect((await api.parts.database.pool.query('SELECT 1 FROM audit')).rowCount).toBe(0)
    expect((await api.call('POST', '/v1/vendor/orders/V-1/changed')).status).toBe(202)
  })
})
