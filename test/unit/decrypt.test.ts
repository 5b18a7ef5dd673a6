import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decrypt, deriveKey } from '../../src/flow/from-feishu/decrypt.js'
import { readSignatureHeaders, readTimestamp, verifySignature } from '../../src/flow/from-feishu/signature.js'
import { encrypt } from '../../src/sandbox/feishu/seal.js'

const key = deriveKey('test key')

function opened(sealed: string, with_ = key): string | null {
  const { whole, bytes } = decrypt(sealed, with_)
  return whole ? bytes.toString() : null
}

describe('decryption', () => {
  test('opens the official vector', () => {
    expect(opened('P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=')).toBe('hello world')
    expect(key.toString('hex')).toBe('fa2bdca424f01f01ffb48df93acc35d439c7fd331a1a7fba6ac2fd83aa9ab31a')
  })

  test('opens the vector of url_verification', () => {
    const sealed =
      'AAECAwQFBgcICQoLDA0ODy8idwCHRrQJUl5lG5VCdF02ziy2GoTyJdA5UsKESqe3mXBaMV2ld4HYfQDYis9AHM+DljoAd7zYh3urcvzxTE6s+z6dvbTFVWyXfcLOORHF'
    expect(opened(sealed)).toBe('{"challenge":"c0ffee-42","token":"vt_demo","type":"url_verification"}')
  })

  test('opens whatever was sealed with its key', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, name) => {
        expect(opened(encrypt(name, text), deriveKey(name))).toBe(text)
      }),
    )
  })

  test('never throws, whatever comes', () => {
    fc.assert(fc.property(fc.string(), (text) => !decrypt(text, key).whole))
    for (const length of [0, 15, 16, 17, 31, 33, 48]) {
      const bytes = randomBytes(length).toString('base64')
      expect(() => decrypt(bytes, key)).not.toThrow()
      if (length < 32 || length % 16 > 0) expect(decrypt(bytes, key).whole).toBe(false)
    }
  })
})

describe('signatures', () => {
  const signed = (signature: string) => ({ timestamp: '1700000000', nonce: 'nonce-1', signature })
  const vectors: Array<[string, string]> = [
    [
      '{"encrypt":"P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="}',
      '002a272a435d056759149cce18e88064ff320d38d91a09432445c344c4296949',
    ],
    [
      '{"encrypt": "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="}',
      'e007967e8d25b1fff72be88551a04c3c98bc4a5cef359ed9b8c8240194b0877f',
    ],
  ]

  test.each(vectors)('are those of the known vectors: %s', (body, signature) => {
    expect(verifySignature(signed(signature), Buffer.from(body), 'test key')).toBe(true)
    expect(verifySignature(signed(signature.toUpperCase()), Buffer.from(body), 'test key')).toBe(true)
    expect(verifySignature(signed(signature), Buffer.from(`${body} `), 'test key')).toBe(false)
    expect(verifySignature(signed(signature), Buffer.from(body), 'other key')).toBe(false)
    expect(verifySignature(signed(signature.slice(1)), Buffer.from(body), 'test key')).toBe(false)
  })

  test('are right to the last digit: what is no digit stands for none', () => {
    const body = Buffer.from('{}')
    const digestOf = (nonce: string) => createHash('sha256').update(`1700000000${nonce}test key{}`).digest('hex')
    const nonce = Array.from({ length: 10_000 }, (_, index) => String(index)).find((each) =>
      digestOf(each).endsWith('00'),
    )
    const right = digestOf(nonce ?? '')
    const verify = (signature: string) =>
      verifySignature({ timestamp: '1700000000', nonce: nonce ?? '', signature }, body, 'test key')
    expect(verify(right)).toBe(true)
    for (const end of ['', '0', '0z', 'zz', '000', '00 ']) expect(verify(right.slice(0, -2) + end)).toBe(false)
  })

  test('that are not whole are none', () => {
    expect(readSignatureHeaders({})).toBe('none')
    expect(readSignatureHeaders({ 'x-lark-signature': 'x' })).toBe('incomplete')
    expect(verifySignature('incomplete', Buffer.alloc(0), '')).toBe(false)
    expect(verifySignature('none', Buffer.alloc(0), '')).toBe(false)
  })
})

test.each([
  ['1700000000', 1_700_000_000_000],
  ['1700000000123', 1_700_000_000_123],
  ['1700000000123456', 1_700_000_000_123.456],
  ['1700000000123456789', 1_700_000_000_123.4568],
  ['1700000000.5', 1_700_000_000_500],
  ['0', 0],
  ['12345', 12_345_000],
  ['', null],
  ['yesterday', null],
  ['-1', null],
  ['1e9', null],
  ['17000000001234567890', null],
])('the timestamp %j is read as %j ms', (text, ms) => {
  const read = readTimestamp(text)
  if (ms === null) expect(read).toBeNull()
  else expect(read).toBeCloseTo(ms, 3)
})
