import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { createKeyFailures, usualLimit } from '../../src/operate/api/key-failures.js'
import { bytesInUse, mebibyte } from '../faults/memory.js'
import { type Api, type ApiTestOptions, secrets, startOperators } from './harness.js'

let api: Api

afterEach(() => api.stop())

async function start(options: ApiTestOptions = {}): Promise<void> {
  api = await startOperators({ failureLimit: usualLimit, ...options })
}

async function ask(secret: string | null, forwarded?: string) {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  return api.call('GET', '/v1/holds', { secret, headers })
}

async function statusesOf(many: number, secret: string | null, forwarded?: (index: number) => string) {
  const statuses: number[] = []
  for (let index = 0; index < many; index += 1) statuses.push((await ask(secret, forwarded?.(index))).status)
  return statuses
}

const ten = Array(10).fill(401)

describe('wrong keys', () => {
  it('get 429 from the eleventh on, with the time to wait and a problem', async () => {
    await start()
    expect(await statusesOf(10, 'wrong-secret')).toEqual(ten)
    const { status, headers, body } = await ask('another-wrong-secret')
    expect([status, headers.get('content-type')]).toEqual([429, 'application/problem+json; charset=utf-8'])
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60)
    expect(body).toMatchObject({ type: '/docs/problems#too-many-failures', status: 429 })
    expect(JSON.stringify(body)).not.toContain('wrong-secret')
  })

  it('do not keep out a right one, nor does a right one make room for wrong ones', async () => {
    await start()
    await statusesOf(12, 'wrong-secret')
    expect(await statusesOf(3, secrets.read)).toEqual([200, 200, 200])
    expect((await ask('wrong-secret')).status).toBe(429)
  })

  it('are those that are sent: no key is none', async () => {
    await start()
    expect(await statusesOf(30, null)).toEqual(Array(30).fill(401))
    expect(await statusesOf(11, 'wrong-secret')).toEqual([...ten, 429])
    expect(await statusesOf(1, null)).toEqual([401])
  })

  it('count together whatever a client that no proxy speaks for says about its address', async () => {
    await start({ trustedProxies: '10.0.0.0/8' })
    const said = fc.sample(fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[ -~]{0,30}$/)), 40)
    const statuses = await statusesOf(40, 'wrong-secret', (index) => said[index] ?? '')
    expect(statuses).toEqual([...ten, ...Array(30).fill(429)])
  })

  it('count for the client that a trusted proxy names, and not for its neighbour or the proxy', async () => {
    await start({ trustedProxies: '127.0.0.1' })
    const forged = (index: number) => `198.51.100.${index}, 203.0.113.9`
    expect(await statusesOf(11, 'wrong-secret', forged)).toEqual([...ten, 429])
    expect(await statusesOf(10, 'wrong-secret', () => '203.0.113.10')).toEqual(ten)
    expect(await statusesOf(10, 'wrong-secret')).toEqual(ten)
  })

  it('count together for a /64 of IPv6', async () => {
    await start({ trustedProxies: '127.0.0.1' })
    const within = (index: number) => `2001:db8:0:7:${index}::${index}`
    expect(await statusesOf(11, 'wrong-secret', within)).toEqual([...ten, 429])
    expect((await ask('wrong-secret', '2001:db8:0:8::1')).status).toBe(401)
  })

  it('are told to the operator with the address, once a minute, and without the key', async () => {
    await start({ trustedProxies: '127.0.0.1' })
    for (const last of [9, 10]) await statusesOf(12, 'wrong-secret', () => `203.0.113.${last}`)
    const lines = api.log.map((line) => JSON.parse(line)).filter(({ event }) => event === 'api.wrong_keys')
    expect(lines).toMatchObject([{ level: 'warn', address: '203.0.113.9', failures: 10 }])
    expect(api.log.join('')).not.toContain('wrong-secret')
  })

  it('name their address where a request fails', async () => {
    await start({ trustedProxies: '127.0.0.1' })
    await api.parts.database.pool.query('DROP TABLE holds CASCADE')
    expect((await ask(secrets.all, '203.0.113.9')).status).toBe(500)
    const line = api.log.map((each) => JSON.parse(each)).find(({ event }) => event === 'api.failed')
    expect(line).toMatchObject({ address: '203.0.113.9' })
  })
})

describe('the count of wrong keys', () => {
  it('is too high exactly while ten lie within a minute', async () => {
    await start()
    const after = fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.constantFrom(0, 6000, 12_000))
    const step = fc.record({ after, address: fc.constantFrom('a', 'b') })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let now = 0
        const noted: Array<{ at: number; address: string }> = []
        const failures = createKeyFailures(usualLimit, () => now)
        for (const { after, address } of steps) {
          now += after
          const recent = noted.filter((each) => each.address === address && now - each.at < 60_000)
          const wait = failures.waitOf(address)
          expect(wait > 0).toBe(recent.length >= 10)
          if (wait === 0) {
            failures.note(address)
            noted.push({ at: now, address })
          } else {
            expect(wait).toBe((recent.at(-10)?.at ?? 0) + 60_000 - now)
          }
        }
      }),
    )
  })

  it('forgets the address it heard of longest ago', () => {
    const failures = createKeyFailures({ ...usualLimit, most: 1, addresses: 3 }, () => 0)
    for (const address of ['a', 'b', 'c', 'a', 'd']) failures.note(address)
    expect(['a', 'b', 'c', 'd'].map((address) => failures.waitOf(address) > 0)).toEqual([true, false, true, true])
  })

  it.each([1, 9000, 1_000_000])('takes no more memory for a million failures of %i addresses', async (addresses) => {
    await start()
    const many = createKeyFailures(usualLimit)
    const before = await bytesInUse()
    for (let index = 0; index < 1_000_000; index += 1) {
      const of = index % addresses
      many.note(`2001:db8:${of >> 16}:${of & 65_535}::/64`)
    }
    expect((await bytesInUse()) - before).toBeLessThan(8 * mebibyte)
    expect(many.waitOf('none')).toBe(0)
  })
})
