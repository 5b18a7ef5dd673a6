import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { usualLimits } from '../../src/flow/from-feishu/receiver.js'
import type { Inbox } from '../../src/flow/map.js'
import { encrypt, signatureHeaders } from '../../src/sandbox/feishu/seal.js'
import { checkBody, created, eventOf, firstApp, oldEventOf, push, secondApp, unsigned } from '../support/pushes.js'
import { head, type RawPeer, rawPeer } from '../support/raw-http.js'
import { defaultPath, maxEventAgeMs, type Receiving, startReceiving } from '../support/receiving.js'
import { count, freshId, type Ground, layGround } from '../support/room.js'

let ground: Ground
let receiving: Receiving
let before: number
const peers: RawPeer[] = []

beforeAll(async () => {
  ground = await layGround()
  receiving = await startReceiving(ground)
})

afterAll(async () => {
  await receiving.stop()
  await ground.stop()
})

beforeEach(async () => {
  before = await count(ground.database, 'events')
  receiving.reasons.length = 0
})

afterEach(() => {
  for (const peer of peers.splice(0)) peer.end()
})

const stored = async () => (await count(ground.database, 'events')) - before
const event = (header = {}) => eventOf(firstApp, created, checkBody(freshId()), header)
const challenge = (token: string) => ({ type: 'url_verification', token, challenge: 'c0ffee-42' })
const lastReason = () => receiving.reasons.at(-1)

function peer(): RawPeer {
  const made = rawPeer(receiving.port)
  peers.push(made)
  return made
}

/** A request of any headers, and its answer. */
async function ask(headers: Array<[string, string]>, body: Buffer | string = '', method = 'POST', path = defaultPath) {
  const raw = peer()
  raw.send(head(path, [...headers, ['Content-Length', String(Buffer.byteLength(body))]], method), body)
  const [answer] = await raw.answers(1)
  return answer
}

describe('the table of answers, in its order', () => {
  test.each(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('%s is another method: 405', async (method) => {
    const { body, headers } = push(firstApp, event())
    const answer = await ask(Object.entries(headers), body, method)
    expect(answer?.status).toBe(405)
    expect(answer?.headers.allow).toBe('POST')
    expect(await stored()).toBe(0)
  })

  test('the method is judged before the size', async () => {
    const raw = peer()
    raw.send(head(defaultPath, [['Content-Length', '9000000']], 'PUT'))
    expect((await raw.answers(1))[0]?.status).toBe(405)
  })

  test.each([
    '/webhooks/feishu',
    '/webhooks/feishu/',
    '/webhooks/feishu/cli_none/events',
    '/webhooks/feishu/a/b/events',
  ])('%s is nobody’s path: 404', async (path) => {
    expect((await receiving.push(push(firstApp, event()), path)).status).toBe(404)
    expect(await stored()).toBe(0)
  })

  test('a body of more than 1 MiB is 413 before anything else is looked at, and one of 1 MiB is read', async () => {
    const encoding: [string, string] = ['Content-Encoding', 'gzip']
    expect((await ask([encoding], Buffer.alloc(1024 * 1024 + 1, 0x20)))?.status).toBe(413)
    expect((await ask([encoding], Buffer.alloc(1024 * 1024, 0x20)))?.status).toBe(415)
    expect((await ask([], Buffer.alloc(1024 * 1024, 0x20)))?.status).toBe(400)
  })

  test('an announced size is refused before the body is sent', async () => {
    const raw = peer()
    raw.send(head(defaultPath, [['Content-Length', '5000000']]))
    expect((await raw.answers(1))[0]?.status).toBe(413)
  })

  test.each([
    ['an announced size', [['Content-Length', String(6 * 1024 * 1024)]], false],
    ['chunks', [['Transfer-Encoding', 'chunked']], true],
  ] as Array<[string, Array<[string, string]>, boolean]>)(
    'a 413 arrives at a sender that sends everything before it reads, by %s',
    async (_name, headers, chunked) => {
      const other = await startReceiving(ground, undefined, { webhook: { drainWithinMs: 30_000 } })
      onTestFinished(() => other.stop())
      const raw = rawPeer(other.port)
      peers.push(raw)
      raw.send(head(defaultPath, headers))
      const part = Buffer.alloc(64 * 1024, 0x20)
      for (let index = 0; index < 96; index += 1) {
        const flushed = new Promise((resolve) => {
          raw.socket.write(
            chunked ? Buffer.concat([Buffer.from('10000\r\n'), part, Buffer.from('\r\n')]) : part,
            resolve,
          )
        })
        const failure = await flushed
        expect(failure ?? null).toBeNull()
      }
      if (chunked) raw.send('0\r\n\r\n')
      expect((await raw.answers(1))[0]?.status).toBe(413)
      await raw.closed
    },
  )

  test.each(['gzip', 'br', 'deflate, gzip'])(
    'a content encoding (%s) is 415, also with a good signature',
    async (name) => {
      const { body, headers } = push(firstApp, event())
      const answer = await ask([...Object.entries(headers), ['Content-Encoding', name]], body)
      expect(answer?.status).toBe(415)
      expect(await stored()).toBe(0)
    },
  )

  test.each(['', 'x', '[]', '"text"', 'null', '7', '{"encrypt":"x"', '[{"encrypt":"x"}]', '\ufeff{}'])(
    '%j is no JSON object: 400',
    async (body) => {
      expect((await ask([], body))?.status).toBe(400)
      expect(lastReason()).toBe('not_json')
    },
  )

  test.each([{}, { encrypt: null }, { encrypt: 7 }, { encrypt: ['x'] }, JSON.parse('{"__proto__":{"encrypt":"x"}}')])(
    'without a string to decrypt it is plaintext: 401 (%j)',
    async (body) => {
      expect((await ask([], JSON.stringify(body)))?.status).toBe(401)
      expect(lastReason()).toBe('plaintext')
    },
  )

  test('a plaintext event and a plaintext url_verification are refused, however well they are signed', async () => {
    for (const content of [event(), challenge(firstApp.verificationToken)]) {
      const body = Buffer.from(JSON.stringify(content))
      const answer = await ask(Object.entries(signatureHeaders(firstApp.encryptKey, body)), body)
      expect(answer?.status).toBe(401)
    }
    expect(await stored()).toBe(0)
  })

  test('a wrong signature is refused before the body is decrypted', async () => {
    const good = push(firstApp, event())
    const other = signatureHeaders(secondApp.encryptKey, good.body)
    expect((await receiving.push({ ...good, headers: { ...good.headers, ...other } })).status).toBe(401)
    expect(lastReason()).toBe('signature')
    const verification = unsigned(firstApp, challenge(firstApp.verificationToken))
    expect((await receiving.push({ ...verification, headers: { ...verification.headers, ...other } })).status).toBe(401)
    expect(await stored()).toBe(0)
  })

  test.each(['X-Lark-Request-Timestamp', 'X-Lark-Request-Nonce', 'X-Lark-Signature'])(
    'without %s the signature is wrong',
    async (name) => {
      const { body, headers } = push(firstApp, event())
      const { [name]: _left, ...rest } = headers
      expect((await receiving.push({ body, headers: rest })).status).toBe(401)
      expect(lastReason()).toBe('signature')
    },
  )

  test('an unsigned event is refused', async () => {
    expect((await receiving.push(unsigned(firstApp, event()))).status).toBe(401)
    expect(lastReason()).toBe('unsigned')
    expect(await stored()).toBe(0)
  })

  test.each(['signed', 'unsigned'])('a %s url_verification with the right token gets its challenge', async (how) => {
    const content = challenge(firstApp.verificationToken)
    const request = how === 'signed' ? push(firstApp, content) : unsigned(firstApp, content)
    expect(await receiving.push(request)).toEqual({ status: 200, body: { challenge: 'c0ffee-42' } })
    expect(await stored()).toBe(0)
  })

  test.each(['signed', 'unsigned'])('a %s url_verification with a wrong token is refused', async (how) => {
    const content = challenge('vt_wrong')
    const request = how === 'signed' ? push(firstApp, content) : unsigned(firstApp, content)
    expect((await receiving.push(request)).status).toBe(401)
  })

  test('a well signed body that does not decrypt is refused', async () => {
    const body = Buffer.from(JSON.stringify({ encrypt: encrypt(secondApp.encryptKey, JSON.stringify(event())) }))
    expect((await receiving.push({ body, headers: signatureHeaders(firstApp.encryptKey, body) })).status).toBe(401)
    expect(lastReason()).toBe('decryption')
  })

  test.each([
    ['token', { token: 'vt_wrong' }],
    ['token', { token: null }],
    ['token', { token: secondApp.verificationToken }],
    ['app', { app_id: secondApp.appId }],
    ['app', { app_id: null }],
  ])('a wrong %s is refused (%j)', async (reason, header) => {
    expect((await receiving.push(push(firstApp, event(header)))).status).toBe(401)
    expect(lastReason()).toBe(reason)
    expect(await stored()).toBe(0)
  })

  test('an event is 200 and empty, once it is a row', async () => {
    expect(await receiving.push(push(firstApp, event()))).toEqual({ status: 200, body: {} })
    expect(await stored()).toBe(1)
  })

  test('the same event again is 200 and nothing, however it is sealed anew', async () => {
    const content = event()
    for (let copy = 0; copy < 4; copy += 1) expect((await receiving.push(push(firstApp, content))).status).toBe(200)
    expect(receiving.reasons).toEqual(['accepted', 'duplicate', 'duplicate', 'duplicate'])
    expect(await stored()).toBe(1)
  })

  test('a type that is not handled is 200 and kept', async () => {
    expect((await receiving.push(push(firstApp, eventOf(firstApp, 'im.message.receive_v1', {})))).status).toBe(200)
    expect(await stored()).toBe(1)
  })

  test('the old envelope is taken, and known by its uuid', async () => {
    const content = oldEventOf(firstApp, 'app_ticket', { app_ticket: 'ticket_demo_001' })
    expect((await receiving.push(push(firstApp, content))).status).toBe(200)
    expect((await receiving.push(push(firstApp, { ...content, ts: '1767229200.1' }))).status).toBe(200)
    expect(await stored()).toBe(1)
    expect((await receiving.push(push(firstApp, { ...content, token: 'vt_wrong' }))).status).toBe(401)
  })
})

describe('timestamps', () => {
  const spellings: Array<[string, (ms: number) => string]> = [
    ['seconds', (ms) => String(Math.floor(ms / 1000))],
    ['milliseconds', (ms) => String(ms)],
    ['microseconds', (ms) => `${ms}000`],
    ['nanoseconds', (ms) => `${ms}000000`],
  ]

  test.each(spellings)('in %s are read', async (_unit, spell) => {
    const old = spell(Date.now() - maxEventAgeMs - 60_000)
    const young = spell(Date.now() - maxEventAgeMs + 60_000)
    expect((await receiving.push(push(firstApp, event(), { timestamp: old }))).status).toBe(401)
    expect(lastReason()).toBe('too_old')
    expect((await receiving.push(push(firstApp, event(), { timestamp: young }))).status).toBe(200)
    expect(await stored()).toBe(1)
  })

  test.each(['0', '1', '12345678', '1000000000', '1000000000.5'])('%s is long ago', async (timestamp) => {
    expect((await receiving.push(push(firstApp, event(), { timestamp }))).status).toBe(401)
    expect(await stored()).toBe(0)
  })

  test('an old one of an event that is known is 200', async () => {
    const content = event()
    await receiving.push(push(firstApp, content))
    expect((await receiving.push(push(firstApp, content, { timestamp: '1000000000' }))).status).toBe(200)
    expect(await stored()).toBe(1)
  })
})

describe('several apps', () => {
  const pathOf = (id: string) => `/webhooks/feishu/${id}/events`

  test('each has its path, and the first the default one', async () => {
    const second = eventOf(secondApp, created, checkBody(freshId()))
    expect((await receiving.push(push(firstApp, event()), pathOf(firstApp.appId))).status).toBe(200)
    expect((await receiving.push(push(secondApp, second), `${pathOf(secondApp.appId)}?from=feishu`)).status).toBe(200)
    expect((await receiving.push(push(firstApp, event()), defaultPath)).status).toBe(200)
    expect((await receiving.push(push(secondApp, second), defaultPath)).status).toBe(401)
    expect((await receiving.push(push(firstApp, event()), pathOf(secondApp.appId))).status).toBe(401)
    expect(await stored()).toBe(3)
  })

  test('an event id of one app says nothing about the other', async () => {
    const header = { event_id: 'shared-id' }
    const second = push(secondApp, eventOf(secondApp, created, checkBody(freshId()), header))
    await receiving.push(push(firstApp, event(header)))
    await receiving.push(second, pathOf(secondApp.appId))
    expect(receiving.reasons).toEqual(['accepted', 'accepted'])
  })
})

describe('what travels in another way than fetch sends it', () => {
  test('an upper-case signature is right', async () => {
    const { body, headers } = push(firstApp, event())
    const upper = { ...headers, 'X-Lark-Signature': String(headers['X-Lark-Signature']).toUpperCase() }
    expect((await receiving.push({ body, headers: upper })).status).toBe(200)
  })

  test('white space in the body is signed with it', async () => {
    const spaced = Buffer.from(` { "encrypt" :  "${encrypt(firstApp.encryptKey, JSON.stringify(event()))}" }\n`)
    const headers = signatureHeaders(firstApp.encryptKey, spaced)
    expect((await receiving.push({ body: spaced, headers })).status).toBe(200)
    expect(
      (await receiving.push({ body: Buffer.from(JSON.stringify(JSON.parse(String(spaced)))), headers })).status,
    ).toBe(401)
  })

  test('a header that comes twice makes the signature wrong', async () => {
    const { body, headers } = push(firstApp, event())
    for (const name of ['X-Lark-Request-Timestamp', 'X-Lark-Request-Nonce', 'X-Lark-Signature']) {
      expect((await ask([...Object.entries(headers), [name, String(headers[name])]], body))?.status).toBe(401)
    }
    expect(await stored()).toBe(0)
  })

  test('pipelined pushes are answered in their order', async () => {
    const [one, two] = [push(firstApp, event()), push(firstApp, event({ token: 'vt_wrong' }))]
    const raw = peer()
    const requests = [one, two, one].map(({ body, headers }) =>
      Buffer.concat([
        Buffer.from(head(defaultPath, [...Object.entries(headers), ['Content-Length', String(body.length)]])),
        body,
      ]),
    )
    raw.send(Buffer.concat(requests))
    expect((await raw.answers(3)).map((answer) => answer.status)).toEqual([200, 401, 200])
    expect(await stored()).toBe(1)
  })

  test('a chunked body, cut anywhere, is whole again', async () => {
    const { body, headers } = push(firstApp, event())
    const raw = peer()
    raw.send(head(defaultPath, [...Object.entries(headers), ['Transfer-Encoding', 'chunked']]))
    for (const byte of body) raw.send(`1\r\n${String.fromCharCode(byte)}\r\n`)
    raw.send('0\r\n\r\n')
    expect((await raw.answers(1))[0]?.status).toBe(200)
    expect(await stored()).toBe(1)
  })

  test('a sender that hangs up in the middle leaves nothing, and the next is served', async () => {
    const { body, headers } = push(firstApp, event())
    for (const part of [0, 1, body.length - 1]) {
      const raw = peer()
      raw.send(
        head(defaultPath, [...Object.entries(headers), ['Content-Length', String(body.length)]]),
        body.subarray(0, part),
      )
      await pause(5)
      raw.end()
      await raw.closed
    }
    expect(await stored()).toBe(0)
    expect((await receiving.push({ body, headers })).status).toBe(200)
  })

  test('a body that does not come is not waited for', async () => {
    const { body, headers } = push(firstApp, event())
    const raw = peer()
    raw.send(
      head(defaultPath, [...Object.entries(headers), ['Content-Length', String(body.length)]]),
      body.subarray(0, 9),
    )
    expect((await raw.answers(1))[0]?.status).toBe(408)
    await raw.closed
    expect(await stored()).toBe(0)
  })
})

describe('whatever is changed on the way', () => {
  const mutation = fc.record({ at: fc.nat(), bit: fc.integer({ min: 0, max: 7 }), cut: fc.boolean() })

  test('has no effect', async () => {
    const { body, headers } = push(firstApp, event())
    await fc.assert(
      fc.asyncProperty(mutation, async ({ at, bit, cut }) => {
        const changed = Buffer.from(body)
        const index = at % body.length
        changed[index] = (changed[index] ?? 0) ^ (1 << bit)
        const sent = cut ? body.subarray(0, index) : changed
        const answer = await receiving.push({ body: sent, headers })
        expect([400, 401]).toContain(answer.status)
      }),
      { numRuns: 150 },
    )
    expect(await stored()).toBe(0)
  })

  test('has no effect in a signature header either', async () => {
    const { body, headers } = push(firstApp, event())
    const names = ['X-Lark-Request-Timestamp', 'X-Lark-Request-Nonce', 'X-Lark-Signature'] as const
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.nat(),
        fc.constantFrom(...'0123456789abcdefg'),
        async (name, at, to) => {
          const value = String(headers[name])
          const index = at % value.length
          const changed = `${value.slice(0, index)}${to}${value.slice(index + 1)}`
          fc.pre(changed.toLowerCase() !== value.toLowerCase())
          const answer = await receiving.push({ body, headers: { ...headers, [name]: changed } })
          expect(answer.status).toBe(401)
        },
      ),
      { numRuns: 100 },
    )
    expect(await stored()).toBe(0)
  })
})

describe('when the inbox cannot answer', () => {
  const never = new Promise<never>(() => undefined)
  const inboxes: Array<[string, Inbox]> = [
    ['says so', { accept: async () => 'unavailable', isKnown: async () => 'unavailable' }],
    ['never answers', { accept: () => never, isKnown: () => never }],
    [
      'fails',
      { accept: () => Promise.reject(new Error('broken')), isKnown: () => Promise.reject(new Error('broken')) },
    ],
  ]

  test.each(inboxes)('because it %s, new and old events are 503', async (_how, inbox) => {
    const other = await startReceiving(ground, inbox, { webhook: { answerWithinMs: 100 } })
    const answers = await Promise.all(
      [push(firstApp, event()), push(firstApp, event(), { timestamp: '1000000000' })].map(async ({ body, headers }) => {
        const raw = rawPeer(other.port)
        raw.send(head(defaultPath, [...Object.entries(headers), ['Content-Length', String(body.length)]]), body)
        const [answer] = await raw.answers(1)
        raw.end()
        return answer?.status
      }),
    )
    expect(answers).toEqual([503, 503])
    await other.stop()
  })

  test('all of it happens before Feishu hangs up', () => {
    const { bodyWithinMs, answerWithinMs } = usualLimits
    expect(bodyWithinMs).toBeLessThan(answerWithinMs)
    expect(answerWithinMs).toBeLessThan(3000)
  })

  test('a body that came late leaves the inbox only what is left of the time', async () => {
    const slow = async () => {
      await pause(150)
      return 'accepted' as const
    }
    const other = await startReceiving(
      ground,
      { accept: slow, isKnown: () => never },
      { webhook: { answerWithinMs: 200, bodyWithinMs: 30_000 } },
    )
    const { body, headers } = push(firstApp, event())
    const raw = rawPeer(other.port)
    // The answer to it comes when the time has begun.
    const expecting: [string, string] = ['Expect', '100-continue']
    raw.send(head(defaultPath, [...Object.entries(headers), ['Content-Length', String(body.length)], expecting]))
    expect((await raw.answers(1))[0]?.status).toBe(100)
    await pause(200)
    raw.send(body)
    expect((await raw.answers(1))[0]?.status).toBe(503)
    raw.end()
    await other.stop()
  })
})
