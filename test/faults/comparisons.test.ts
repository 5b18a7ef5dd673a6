import { afterEach, expect, test, vi } from 'vitest'
import { judge } from '../../src/flow/from-feishu/judge.js'
import { createKeyring } from '../../src/operate/api/auth.js'
import { encryptedBody, sealEvent, signatureHeaders } from '../../src/sandbox/feishu/seal.js'
import { checkBody, created, eventOf, firstApp, secondApp } from '../support/pushes.js'

/**
 * No clock is precise enough to see in a test what an early end of a comparison tells. So the one function that ends
 * at the same time whatever it is given is put under our control: what it says decides, and nothing beside it.
 */
const control = vi.hoisted(() => ({ says: undefined as boolean | undefined, sizes: [] as number[] }))

vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>()
  const timingSafeEqual: typeof crypto.timingSafeEqual = (one, other) => {
    control.sizes.push(one.byteLength)
    return control.says ?? crypto.timingSafeEqual(one, other)
  }
  return { ...crypto, timingSafeEqual }
})

afterEach(() => {
  control.says = undefined
  control.sizes.length = 0
})

const event = (header = {}) => eventOf(firstApp, created, checkBody('1'), header)
const lower = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

function judged(header = {}, key = firstApp.encryptKey) {
  const body = encryptedBody(firstApp.encryptKey, event(header))
  return judge(body, lower(signatureHeaders(key, body)), firstApp)
}

const wrong = {
  signature: () => judged({}, secondApp.encryptKey),
  token: () => judged({ token: 'vt_wrong' }),
  app: () => judged({ app_id: secondApp.appId }),
}

test.each(Object.entries(wrong))('a wrong %s is known by timingSafeEqual alone', (reason, run) => {
  expect(run()).toMatchObject({ kind: 'refused', status: 401, reason })
  control.says = true
  expect(run().kind).toBe('event')
})

test('nothing is right that timingSafeEqual denies', () => {
  control.says = false
  expect(judged()).toMatchObject({ kind: 'refused', reason: 'signature' })
  const { body } = sealEvent(firstApp.encryptKey, { type: 'url_verification', token: firstApp.verificationToken })
  expect(judge(body, {}, firstApp).kind).toBe('refused')
})

test('as much is compared, whatever a signature or a token shares with the right one', () => {
  const right = firstApp.verificationToken
  const tokens = ['', 'x', `${right.slice(0, -1)}x`, `x${right.slice(1)}`, `${right}x`, 'x'.repeat(256)]
  for (const token of [right, ...tokens]) judged({ token, app_id: 'cli_other' })
  // A signature, and then a token each time; an app, where the token was right.
  expect(control.sizes).toEqual(Array(2 * (tokens.length + 1) + 1).fill(32))
  control.sizes.length = 0
  const { body, headers } = sealEvent(firstApp.encryptKey, event())
  const signature = String(headers['X-Lark-Signature'])
  for (const other of ['', 'x', `x${signature.slice(1)}`, `${signature.slice(0, -1)}x`, `${signature}0`]) {
    judge(body, { ...lower(headers), 'x-lark-signature': other }, firstApp)
  }
  expect(control.sizes).toEqual(Array(5).fill(32))
})

test('a key of /v1 is compared with every key there is, whichever is right', () => {
  const secrets = ['first-secret-of-24-letters', 'second-secret-of-24-letters', 'third-secret-of-24-letters']
  const find = createKeyring(secrets.map((secret, index) => ({ name: String(index), secret, scopes: ['read'] })))
  for (const [index, secret] of secrets.entries()) expect(find(`Bearer ${secret}`)?.name).toBe(String(index))
  for (const secret of ['x', 'first', `${secrets[0]}x`, 'x'.repeat(10_000)])
    expect(find(`Bearer ${secret}`)).toBeUndefined()
  expect(control.sizes).toEqual(Array(7 * secrets.length).fill(32))
  control.says = false
  expect(find(`Bearer ${secrets[0]}`)).toBeUndefined()
})
