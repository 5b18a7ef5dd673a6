import { createHmac, hkdfSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isGenuine, makeToken, readToken } from '../../src/flow/reports/link.js'
import { createDataKey, type DataKey, openDataKey } from '../../src/platform/crypto/data-key.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'

const sealer = createSealer([{ id: 'k1', key: Buffer.alloc(32, 7) }])
const key = createDataKey(sealer, 'order-1')
const others = createDataKey(sealer, 'order-2')

const links = fc.record({
  deliveryId: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String),
  index: fc.integer({ min: 0, max: 255 }),
  expiresAt: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
})

/** Whether a token opens anything with a key. */
function opens(token: string, with_: DataKey = key): boolean {
  const read = readToken(token)
  return read !== null && isGenuine(with_, read)
}

describe('the token of a link', () => {
  it('says what it was made from, in 64 characters that a path takes as they are', () => {
    fc.assert(
      fc.property(links, (link) => {
        const token = makeToken(key, link)
        expect(token).toMatch(/^[A-Za-z0-9_-]{64}$/)
        expect(readToken(token)).toMatchObject(link)
        expect(opens(token)).toBe(true)
      }),
    )
  })

  it('opens nothing when a single bit of it is another', () => {
    const token = makeToken(key, { deliveryId: '4711', index: 3, expiresAt: 1_767_315_600_000 })
    const bytes = Buffer.from(token, 'base64url')
    const changed = Array.from({ length: bytes.length * 8 }, (_, bit) => {
      const copy = Buffer.from(bytes)
      copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      return copy.toString('base64url')
    })
    expect(new Set(changed).size).toBe(384)
    expect(changed.filter((each) => opens(each))).toEqual([])
  })

  it('opens nothing with the key of another order', () => {
    fc.assert(fc.property(links, (link) => !opens(makeToken(key, link), others)))
  })

  it('opens nothing that was made up', () => {
    const madeUp = fc.uint8Array({ minLength: 48, maxLength: 48 }).map((bytes) => {
      return Buffer.from(Uint8Array.from([1, 0, ...bytes.slice(2)])).toString('base64url')
    })
    fc.assert(fc.property(madeUp, (token) => readToken(token) !== null && !opens(token)))
  })

  it.each([
    ['nothing', () => ''],
    ['a character less', (token: string) => token.slice(1)],
    ['a character more', (token: string) => `${token}A`],
    ['padding', (token: string) => `${token}=`],
    ['the other alphabet', (token: string) => `+${token.slice(1)}`],
    ['a space', (token: string) => ` ${token.slice(1)}`],
    ['a line end', (token: string) => `${token}\n`],
    ['half of it', (token: string) => token.slice(0, 32)],
    ['another version', (token: string) => `Ag${token.slice(2)}`],
    ['an id that no row can have', (token: string) => `Af${token.slice(2)}`],
  ])('is none with %s', (_, change) => {
    expect(readToken(change(makeToken(key, { deliveryId: '1', index: 0, expiresAt: 1 })))).toBeNull()
  })

  it('outlives a change of the encryption keys, which only wraps the key of the order anew', () => {
    const token = makeToken(key, { deliveryId: '1', index: 0, expiresAt: 1 })
    const next = createSealer([{ id: 'k2', key: Buffer.alloc(32, 9) }])
    const rewrapped = next.seal(sealer.open(key.wrapped, 'data-key:order-1'), 'data-key:order-1')
    expect(opens(token, openDataKey(next, 'order-1', rewrapped))).toBe(true)
  })

  it('carries a whole HMAC-SHA-256 under a key that HKDF derived from the data key of the order', () => {
    const secret = sealer.open(key.wrapped, 'data-key:order-1')
    const derived = Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), 'bgc-bridge:report link', 32))
    const bytes = Buffer.from(
      makeToken(key, { deliveryId: '258', index: 2, expiresAt: 1_767_315_600_000 }),
      'base64url',
    )
    const head = bytes.subarray(0, 16)
    expect(head.toString('hex')).toBe('01000000000000010202019b7c37f280')
    expect(bytes.subarray(16)).toEqual(createHmac('sha256', derived).update(head.toString('hex')).digest())
  })
})
