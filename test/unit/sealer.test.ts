import { createHmac, hkdfSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createDataKey, openDataKey, openJson, sealJson } from '../../src/platform/crypto/data-key.js'
import { createSealer, SealError } from '../../src/platform/crypto/sealer.js'

const [one, two] = [
  { id: 'k1', key: Buffer.alloc(32, 1) },
  { id: 'k2', key: Buffer.alloc(32, 2) },
]
const bytes = fc.uint8Array({ maxLength: 200 }).map((all) => Buffer.from(all))

describe('what is sealed', () => {
  test('opens with its key in its place, and shows nothing of itself', () => {
    const sealer = createSealer([one])
    fc.assert(
      fc.property(bytes, fc.string(), (plain, context) => {
        const sealed = sealer.seal(plain, context)
        expect(sealer.open(sealed, context)).toEqual(plain)
        if (plain.length > 8) expect(sealed.includes(plain)).toBe(false)
        expect(sealer.seal(plain, context).equals(sealed)).toBe(false)
      }),
    )
  })

  test('does not open in another place', () => {
    const sealer = createSealer([one])
    fc.assert(
      fc.property(bytes, fc.string(), fc.string(), (plain, context, other) => {
        fc.pre(context !== other)
        expect(() => sealer.open(sealer.seal(plain, context), other)).toThrow(SealError)
      }),
    )
  })

  test('does not open when a bit of it changed, or an end is missing', () => {
    const sealer = createDataKey(createSealer([one]), 'order')
    fc.assert(
      fc.property(bytes, fc.nat(), fc.nat(7), fc.boolean(), (plain, where, bit, cut) => {
        const sealed = sealer.seal(plain, 'x')
        const index = where % sealed.length
        const changed = cut ? sealed.subarray(0, index) : Buffer.from(sealed)
        if (!cut) changed[index] = (changed[index] ?? 0) ^ (1 << bit)
        expect(() => sealer.open(changed, 'x')).toThrow(SealError)
      }),
      { numRuns: 500 },
    )
  })

  test('with an older key opens, and new values take the first key', () => {
    const old = createSealer([one]).seal(Buffer.from('text'), 'x')
    const rotated = createSealer([two, one])
    expect(rotated.open(old, 'x').toString()).toBe('text')
    const young = rotated.seal(Buffer.from('text'), 'x')
    expect(createSealer([two]).open(young, 'x').toString()).toBe('text')
    expect(() => createSealer([one]).open(young, 'x')).toThrow(/lacks the key "k2"/)
  })

  test('without keys is plain, and still opens once there are keys', () => {
    const plain = createSealer([]).seal(Buffer.from('text'), 'x')
    expect(plain.includes('text')).toBe(true)
    expect(createSealer([one]).open(plain, 'x').toString()).toBe('text')
    expect(() => createSealer([]).open(createSealer([one]).seal(Buffer.from('text'), 'x'), 'x')).toThrow(SealError)
  })

  test.each(['', '01', '0102', '01026b31', '02aabb', 'ff'])('%s is of no known form', (hex) => {
    expect(() => createSealer([one]).open(Buffer.from(hex, 'hex'), 'x')).toThrow(SealError)
  })
})

describe('a keyed hash', () => {
  test('is the HMAC under a key derived for its purpose, and older keys follow the first', () => {
    const expected = (key: Buffer, purpose: string) =>
      createHmac('sha256', Buffer.from(hkdfSync('sha256', key, '', `bgc-bridge:${purpose}`, 32)))
        .update('x')
        .digest()
    expect(createSealer([two, one]).hashes('x', 'mail')).toEqual([
      { keyId: 'k2', hash: expected(two.key, 'mail') },
      { keyId: 'k1', hash: expected(one.key, 'mail') },
      { keyId: '', hash: expected(Buffer.alloc(32), 'mail') },
    ])
  })

  test('differs by purpose', () => {
    const [mail, phone] = ['mail', 'phone'].map((purpose) => createSealer([one]).hashes('x', purpose)[0]?.hash)
    expect(mail?.equals(phone ?? Buffer.alloc(0))).toBe(false)
  })
})

describe('a data key', () => {
  test('opens from its wrapping for its owner only', () => {
    const sealer = createSealer([one])
    const key = createDataKey(sealer, 'order-1')
    const sealed = sealJson(key, { name: '林' }, 'x')
    expect(openJson(openDataKey(sealer, 'order-1', key.wrapped), sealed, 'x')).toEqual({ name: '林' })
    expect(() => openDataKey(sealer, 'order-2', key.wrapped)).toThrow(SealError)
    expect(() => createDataKey(sealer, 'order-1').open(sealed, 'x')).toThrow(SealError)
  })

  test('opens no plain bytes: what lies in its rows was sealed with it', () => {
    const key = createDataKey(createSealer([]), 'order-1')
    expect(() => key.open(Buffer.concat([Buffer.of(0), Buffer.from('{}')]), 'x')).toThrow(SealError)
  })
})
