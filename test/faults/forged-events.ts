import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import { encrypt, encryptedBody, sign, signatureHeaders } from '../../src/sandbox/feishu/seal.js'
import { checkBody, created, eventOf, firstApp, oldEventOf, push, secondApp } from '../support/pushes.js'
import { freshId } from '../support/room.js'
import { type Header, type Hostile, requestOf } from './hostile.js'

/** Events that look right in everything but one thing. Each must be 401, for its sender a 401 like any other. */

type Fields = Record<string, unknown>
type Forgery = readonly [name: string, body: Buffer | string, headers?: Iterable<Header>]

const { encryptKey, verificationToken, appId } = firstApp
const honest = (header: Fields = {}) => eventOf(firstApp, created, checkBody(freshId()), header)
const entries = (headers: Record<string, string>): Header[] => Object.entries(headers)
const signed = (body: Buffer, key = encryptKey) => entries(signatureHeaders(key, body))
const sealed = (text: string | Buffer) => rawSealed(encrypt(encryptKey, String(text)))
const rawSealed = (text: string) => Buffer.from(JSON.stringify({ encrypt: text }))
/** Signed by the right key, whatever it is. */
const authentic = (name: string, body: Buffer): Forgery => [name, body, signed(body)]
const content = (name: string, value: unknown): Forgery => authentic(name, sealed(JSON.stringify(value)))

function signatures(): Forgery[] {
  const body = encryptedBody(encryptKey, honest())
  const now = String(Math.floor(Date.now() / 1000))
  const right = sign(encryptKey, now, 'nonce', body)
  const by = (name: string, signature: string, timestamp = now, nonce = 'nonce'): Forgery => {
    const headers = { 'X-Lark-Request-Timestamp': timestamp, 'X-Lark-Request-Nonce': nonce }
    return [name, body, entries({ ...headers, 'X-Lark-Signature': signature })]
  }
  const hmac = createHmac('sha256', encryptKey).update(`${now}nonce`).update(body).digest('hex')
  const bare = createHash('sha256').update(`${now}nonce`).update(body).digest('hex')
  const reserialised = Buffer.from(JSON.stringify(JSON.parse(String(body)), null, 1))
  return [
    ['unsigned', body],
    ...['', 'TEST KEY', 'test key ', secondApp.encryptKey, verificationToken].map((key): Forgery => {
      return [`signed with the key ${JSON.stringify(key)}`, body, signed(body, key)]
    }),
    by('signed by HMAC', hmac),
    by('signed without a key', bare),
    by('signed over other white space', sign(encryptKey, now, 'nonce', reserialised)),
    by('half a signature', right.slice(0, 32)),
    by('a signature and more', `${right}0`),
    by('a signature twice', `${right}, ${right}`),
    by('a signature in base64', Buffer.from(right, 'hex').toString('base64')),
    by('a signature with a prefix', `sha256=${right}`),
    by('an empty signature', ''),
    by('an empty signature, timestamp and nonce', '', '', ''),
    by('another timestamp', right, String(Number(now) + 1)),
    by('another nonce', right, now, 'nonce2'),
    by('no letter in common', '\u00e9'.repeat(64)),
    by('a signature as long as a header may be', 'a'.repeat(15_000)),
    ['of another app, signed by it', encryptedBody(secondApp.encryptKey, honest()), signed(body, secondApp.encryptKey)],
  ]
}

/** Whatever the age is hidden in: digits of a nonce behind an old time are signed as well as at its front. */
function timestamps(): Forgery[] {
  const body = encryptedBody(encryptKey, honest())
  const by = (timestamp: string, nonce = 'n'): Forgery => {
    return [
      `signed at ${JSON.stringify(timestamp)}`,
      body,
      entries(signatureHeaders(encryptKey, body, { timestamp, nonce })),
    ]
  }
  const longAgo = '1600000000'
  const grown = Array.from({ length: 12 }, (_, digits) => by(`${longAgo}${'9'.repeat(digits)}`))
  const cut = Array.from({ length: 10 }, (_, digits) => by(longAgo.slice(0, digits)))
  const odd = ['yesterday', '-1', '+1', '1e20', '0x7fffffffffffffff', 'NaN', 'Infinity', '2026-01-01T00:00:00Z']
  return [...grown, ...cut, ...odd.map((timestamp) => by(timestamp)), by('1600000000.9'), by(' 99999999999')]
}

function ciphertexts(): Forgery[] {
  const text = encrypt(encryptKey, JSON.stringify(honest()))
  const bytes = Buffer.from(text, 'base64')
  const cut = [1, 15, 16, bytes.length - 32, bytes.length - 16].map((less) =>
    authentic(`${less} bytes cut off`, rawSealed(bytes.subarray(0, bytes.length - less).toString('base64'))),
  )
  const garbled = Buffer.from(bytes)
  garbled[3] = (garbled[3] ?? 0) ^ 0xff
  return [
    ...cut,
    ...[0, 17, 32, 255].map((count) => authentic(`padding of ${count}`, paddedWith(Buffer.alloc(16, count)))),
    authentic('padding that is not uniform', paddedWith(Buffer.from([...Array(15).fill(3), 16]))),
    authentic('padding that is wrong at its first byte', paddedWith(Buffer.from([1, ...Array(15).fill(16)]))),
    authentic('no padding', paddedWith(Buffer.alloc(0))),
    authentic('another IV', rawSealed(garbled.toString('base64'))),
    authentic('another key', rawSealed(encrypt(secondApp.encryptKey, JSON.stringify(honest())))),
    authentic('random', rawSealed(randomBytes(256).toString('base64'))),
    authentic('nothing', rawSealed('')),
    authentic('no base64', rawSealed('*'.repeat(64))),
    authentic('plain text in place of the ciphertext', rawSealed(JSON.stringify(honest()))),
    authentic('plain text in base64', rawSealed(Buffer.from(JSON.stringify(honest())).toString('base64'))),
  ]
}

/** An honest event of whole blocks, with another block at its end. */
function paddedWith(last: Buffer): Buffer {
  const text = JSON.stringify(honest())
  const plain = Buffer.from(text + ' '.repeat(16 - (text.length % 16)))
  const iv = randomBytes(16)
  const cipher = createCipheriv('aes-256-cbc', createHash('sha256').update(encryptKey).digest(), iv)
  cipher.setAutoPadding(false)
  return rawSealed(Buffer.concat([iv, cipher.update(plain), cipher.update(last), cipher.final()]).toString('base64'))
}

function plaintexts(): Forgery[] {
  const challenge = { type: 'url_verification', token: verificationToken, challenge: 'c' }
  const deep = (open: string, close: string) => `{"a":${open.repeat(100_000)}1${close.repeat(100_000)}}`
  const bodies: Array<[string, string]> = [
    ['an event', JSON.stringify(honest())],
    ['an event of version 1', JSON.stringify(oldEventOf(firstApp, 'app_ticket', { app_ticket: 't' }))],
    ['a challenge', JSON.stringify(challenge)],
    ['an event beside an encrypt that is no text', JSON.stringify({ ...honest(), encrypt: [sealed('{}')] })],
    ['encrypt in a prototype', `{"__proto__":{"encrypt":${JSON.stringify(encrypt(encryptKey, '{}'))}}}`],
    ['encrypt in a constructor', '{"constructor":{"prototype":{"encrypt":"x"}}}'],
    ['deep arrays', deep('[', ']')],
    ['deep objects', deep('{"a":', '}')],
    ['many keys', `{${Array.from({ length: 50_000 }, (_, key) => `"k${key}":0`).join()}}`],
  ]
  return bodies.map(([name, body]) => authentic(`plaintext: ${name}`, Buffer.from(body)))
}

function contents(): Forgery[] {
  const { header, ...rest } = honest()
  const odd: Array<[string, unknown]> = [
    ...['', ' ', 'vt_', 'VT_FIRST', 'vt_first ', 'vt_first\0', 'vt_firs\u0000', 'x'.repeat(100_000)].map(
      (token): [string, unknown] => [`token ${JSON.stringify(token).slice(0, 20)}`, honest({ token })],
    ),
    ...[null, 0, true, ['vt_first'], { 0: 'vt_first' }].map((token): [string, unknown] => [
      `token ${JSON.stringify(token)}`,
      honest({ token }),
    ]),
    ...[secondApp.appId, '', appId.toUpperCase(), `${appId} `, [appId], null].map((id): [string, unknown] => [
      `app ${JSON.stringify(id)}`,
      honest({ app_id: id }),
    ]),
    ['no header', rest],
    ['a header in a list', { ...rest, header: [header] }],
    ['the token where version 1 has it', { ...rest, token: verificationToken, header: { ...header, token: '' } }],
    ['version 1 with the token of version 2', { event: { app_id: appId }, header }],
    ['version 1 of another app', oldEventOf(firstApp, 'app_ticket', { app_id: secondApp.appId })],
    ['a challenge with a wrong token', { type: 'url_verification', token: 'vt_wrong', challenge: 'c' }],
    ['a challenge without a token', { type: 'url_verification', challenge: 'c' }],
  ]
  const texts = ['null', '[]', '7', '"text"', '', ' ', '\0', 'not json', '{"a":1', '['.repeat(100_000)]
  const inherited = JSON.stringify(header)
  return [
    ...odd.map(([name, value]) => content(name, value)),
    ...texts.map((text) => authentic(`sealed ${JSON.stringify(text).slice(0, 12)}`, sealed(text))),
    authentic('a header in a prototype', sealed(`{"schema":"2.0","__proto__":{"header":${inherited}}}`)),
    authentic('a header whose prototype has the token', sealed(`{"schema":"2.0","header":{"__proto__":${inherited}}}`)),
    authentic('a constructor', sealed(`{"schema":"2.0","constructor":{"prototype":{"header":${inherited}}}}`)),
  ]
}

export function forgedEvents(): Hostile[] {
  const all = [...signatures(), ...timestamps(), ...ciphertexts(), ...plaintexts(), ...contents()]
  return all.map(([name, body, headers]) => ({ name, bytes: requestOf(body, headers), status: 401 }))
}

/** An honest event for the first app, and what it will be known by. */
export function honestEvent() {
  const event = honest()
  return { id: event.header.event_id, event, push: push(firstApp, event) }
}
