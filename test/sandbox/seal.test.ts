import { expect, test } from 'vitest'
import { encrypt, encryptedBody, sealEvent, sign } from '../../src/sandbox/index.js'

const body = '{"encrypt":"P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="}'

test('encrypts as the official vector does (contract §2.1)', () => {
  const iv = Buffer.from('P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=', 'base64').subarray(0, 16)
  expect(encrypt('test key', 'hello world', iv)).toBe('P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=')
})

test('encrypts a challenge as the vector with a counted IV says', () => {
  const iv = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
  const plain = '{"challenge":"c0ffee-42","token":"vt_demo","type":"url_verification"}'
  expect(encrypt('test key', plain, iv)).toBe(
    'AAECAwQFBgcICQoLDA0ODy8idwCHRrQJUl5lG5VCdF02ziy2GoTyJdA5UsKESqe3mXBaMV2ld4HYfQDYis9AHM+DljoAd7zYh3urcvzxTE6s+z6dvbTFVWyXfcLOORHF',
  )
})

test('signs the raw bytes: one space more is another signature (contract §2.2)', () => {
  const signed = (text: string) => sign('test key', '1700000000', 'nonce-1', Buffer.from(text))
  expect(signed(body)).toBe('002a272a435d056759149cce18e88064ff320d38d91a09432445c344c4296949')
  expect(signed(body.replace(':', ': '))).toBe('e007967e8d25b1fff72be88551a04c3c98bc4a5cef359ed9b8c8240194b0877f')
})

test('seals with the timestamp and nonce that it is given, in the unit that is asked for', () => {
  const sealed = sealEvent('test key', { a: 1 }, { timestamp: '1700000000', nonce: 'nonce-1', iv: Buffer.alloc(16) })
  expect(sealed.body).toEqual(encryptedBody('test key', { a: 1 }, Buffer.alloc(16)))
  expect(sealed.headers['X-Lark-Signature']).toBe(sign('test key', '1700000000', 'nonce-1', sealed.body))
  expect(sealEvent('k', {}).headers['X-Lark-Request-Timestamp']).toMatch(/^\d{10}$/)
  expect(sealEvent('k', {}, { timestampUnit: 'ms' }).headers['X-Lark-Request-Timestamp']).toMatch(/^\d{13}$/)
})
