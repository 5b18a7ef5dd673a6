import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { forEachAtOnce } from '../../src/platform/at-once.js'
import { encrypt, signatureHeaders } from '../../src/sandbox/feishu/seal.js'
import { firstApp, secondApp } from '../support/pushes.js'
import { head } from '../support/raw-http.js'
import { defaultPath, type Receiving, startReceiving } from '../support/receiving.js'
import { count, type Ground, layGround } from '../support/room.js'
import { forgedEvents, honestEvent } from './forged-events.js'
import { forgedBodies, forgedHttp, forgedTargets, oddButHonest } from './forged-requests.js'
import { type Hostile, type Outcome, requestOf, send } from './hostile.js'

let ground: Ground
let receiving: Receiving
let before: number

beforeAll(async () => {
  ground = await layGround()
  receiving = await startReceiving(ground)
})
afterAll(async () => {
  await receiving.stop()
  await ground.stop()
})
beforeEach(async () => {
  before = await rows()
  ground.lines.length = 0
})

const rows = async () => (await count(ground.database, 'events')) + (await count(ground.database, 'seen_events'))
const stored = async () => (await rows()) - before

/** A few at a time: all at once, they would ask whether the machine reads each body in time. */
async function answersTo(all: readonly Hostile[]): Promise<Array<[string, Outcome]>> {
  const answers: Array<[string, Outcome]> = []
  await forEachAtOnce([...all.entries()], 20, async ([index, { name, bytes }]) => {
    answers[index] = [name, await send(receiving.port, bytes)]
  })
  return answers
}

const statuses = (answers: ReadonlyArray<[string, Outcome]>) => answers.map(([name, { status }]) => [name, status])
const promised = (all: readonly Hostile[]) => all.map(({ name, status }) => [name, status])

/** All that an answer may say: by our own hand, or none at all by the parser of HTTP. */
const words: Record<string, string[]> = {
  400: ['{"error":"bad request"}', ''],
  401: ['{"error":"unauthorized"}'],
  404: ['{"error":"not found"}', '0\r\n\r\n', ''],
  405: ['{"error":"method not allowed"}'],
  408: ['{"error":"request timeout"}'],
  413: ['{"error":"payload too large"}', ''],
  415: ['{"error":"unsupported media type"}'],
}

describe('the corpus', () => {
  test.each([
    ['events that are wrong in one thing', forgedEvents()],
    ['bodies that are none', forgedBodies()],
    ['paths and methods beside the one', forgedTargets()],
    ['requests that break HTTP', forgedHttp()],
  ])('%s get the promised status and leave nothing', async (_name, all) => {
    const answers = await answersTo(all)
    expect(statuses(answers)).toEqual(promised(all))
    expect(await stored()).toBe(0)
    // No warning of Node's, no failure of ours: a forgery is nothing to tell of.
    expect(ground.lines).toEqual([])
  })

  test('every 401 is the same to the byte but for its date, whatever was wrong', async () => {
    const answers = await answersTo(forgedEvents())
    const different = new Set(answers.map(([, { raw }]) => raw.replace(/\r\nDate: [^\r]+/, '')))
    expect([...different]).toEqual([expect.stringMatching(/^HTTP\/1\.1 401 Unauthorized\r\n.*"unauthorized"}$/s)])
  })

  test('no answer says more than its status', async () => {
    for (const [name, { status, body, raw }] of await answersTo([...forgedBodies(), ...forgedTargets()])) {
      expect([name, words[String(status)]]).toEqual([name, expect.arrayContaining([body])])
      expect(raw).not.toMatch(/Server:|X-Powered-By|node:|\.[jt]s\b| at /i)
    }
  })

  test('what is odd and honest is taken, each once', async () => {
    const all = oddButHonest()
    expect(statuses(await answersTo(all))).toEqual(promised(all))
    expect(await stored()).toBe(2 * all.length)
  })

  test('a time in the future and a replay take effect once', async () => {
    const { event } = honestEvent()
    const body = Buffer.from(JSON.stringify({ encrypt: encrypt(firstApp.encryptKey, JSON.stringify(event)) }))
    const year = 365 * 86_400
    const times = [60, year, 100 * year].map((ahead) => String(Math.floor(Date.now() / 1000) + ahead))
    for (const timestamp of [...times, ...times]) {
      const headers = Object.entries(signatureHeaders(firstApp.encryptKey, body, { timestamp }))
      expect((await send(receiving.port, requestOf(body, headers))).status).toBe(200)
    }
    expect(await stored()).toBe(2)
  })

  test('an old event that we have is acknowledged, however its time is spelled', async () => {
    const { event, push } = honestEvent()
    await receiving.push(push)
    const body = Buffer.from(JSON.stringify({ encrypt: encrypt(firstApp.encryptKey, JSON.stringify(event)) }))
    for (const timestamp of ['1600000000', '16000000009', 'yesterday', '']) {
      const headers = Object.entries(signatureHeaders(firstApp.encryptKey, body, { timestamp }))
      expect((await send(receiving.port, requestOf(body, headers))).status).toBe(200)
    }
    expect(await stored()).toBe(2)
  })
})

describe('whatever comes', () => {
  const anyBody = fc.oneof(
    fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(text)),
    fc.jsonValue().map((encrypt_) => Buffer.from(JSON.stringify({ encrypt: encrypt_ }))),
    fc.base64String({ maxLength: 2000 }).map((encrypt_) => Buffer.from(JSON.stringify({ encrypt: encrypt_ }))),
  )
  const text = fc.string({ unit: fc.constantFrom(...'0123456789abcdef,; \t~"'), maxLength: 80 })
  const anyHeaders = fc.uniqueArray(
    fc.tuple(
      fc.constantFrom(
        'X-Lark-Request-Timestamp',
        'X-Lark-Request-Nonce',
        'X-Lark-Signature',
        'Content-Type',
        '__proto__',
      ),
      text,
    ),
    { selector: ([name]) => name },
  )

  test('in body and headers is refused and leaves nothing', async () => {
    await fc.assert(
      fc.asyncProperty(anyBody, anyHeaders, async (body, headers) => {
        const { status, body: said } = await send(receiving.port, requestOf(body, headers))
        expect([400, 401]).toContain(status)
        expect(words[String(status)]).toContain(said)
      }),
      { numRuns: 400 },
    )
    expect(await stored()).toBe(0)
  })

  const keys = fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'header',
    'event',
    'token',
    'schema',
    'type',
    'toString',
  )
  const envelope = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('url_verification', '2.0', firstApp.appId, secondApp.verificationToken, '', null, 7, true),
      fc.array(tie('value'), { maxLength: 3 }),
      // As text, since a `__proto__` of a literal would be a prototype.
      fc.array(fc.tuple(keys, tie('value')), { maxLength: 5 }).map((pairs) => Object.fromEntries(pairs)),
    ),
  })).value

  test('sealed and signed by the right key, but without the token, is refused and leaves nothing', async () => {
    await fc.assert(
      fc.asyncProperty(envelope, async (content) => {
        const sealed = encrypt(firstApp.encryptKey, JSON.stringify(content) ?? 'null')
        const body = Buffer.from(JSON.stringify({ encrypt: sealed }))
        const headers = Object.entries(signatureHeaders(firstApp.encryptKey, body))
        expect((await send(receiving.port, requestOf(body, headers))).status).toBe(401)
      }),
      { numRuns: 400 },
    )
    expect(await stored()).toBe(0)
    expect(Object.prototype).not.toHaveProperty('token')
  })

  test('out of an honest request by changed, left out or added bytes, only the honest event is ever kept', async () => {
    const { id, push } = honestEvent()
    const request = requestOf(push.body, Object.entries(push.headers))
    const edit = fc.record({ at: fc.nat(request.length - 1), gone: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) })
    const changed = fc
      .array(edit, { minLength: 1, maxLength: 3 })
      .map((edits) =>
        edits.reduce<Buffer>(
          (bytes, { at, gone, put }) => Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + gone)]),
          request,
        ),
      )
    const requests = fc.sample(changed, 500)
    // A head that lost its end is waited for in vain.
    const outcomes = await Promise.all(requests.map((bytes) => send(receiving.port, bytes, 4000)))
    const allowed = [200, 400, 401, 404, 405, 408, 413, 415, 417, 431, null]
    expect(outcomes.filter(({ status }) => !allowed.includes(status))).toEqual([])
    const kept = await ground.database.pool.query('SELECT event_id FROM events WHERE event_id = $1', [id])
    expect(await stored()).toBe(2 * (kept.rowCount ?? 0))
  })

  test('of a recorded event, with any bytes of its ciphertext changed and no signature, is one and the same 401', async () => {
    const { push } = honestEvent()
    const sealed = Buffer.from((JSON.parse(String(push.body)) as { encrypt: string }).encrypt, 'base64')
    const change = fc.record({ at: fc.nat(sealed.length - 1), by: fc.integer({ min: 1, max: 255 }), cut: fc.nat(4) })
    await fc.assert(
      fc.asyncProperty(change, async ({ at, by, cut }) => {
        const bytes = Buffer.from(sealed)
        bytes[at] = (bytes[at] ?? 0) ^ by
        const kept = bytes.subarray(0, bytes.length - 16 * cut).toString('base64')
        const { status, body } = await send(receiving.port, requestOf(JSON.stringify({ encrypt: kept })))
        expect([status, body]).toEqual([401, '{"error":"unauthorized"}'])
      }),
      { numRuns: 200 },
    )
    expect(await stored()).toBe(0)
  })

  test('one behind the other on one connection, each gets its own answer', async () => {
    const { push } = honestEvent()
    const honest = requestOf(push.body, Object.entries(push.headers))
    const forged = forgedEvents().filter(({ bytes }) => bytes.length < 4000)
    const row = fc.array(fc.oneof(fc.constant(null), fc.constantFrom(...forged)), { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(row, async (all) => {
        const last = Buffer.from(head(defaultPath, [['Connection', 'close']], 'GET'))
        const bytes = Buffer.concat([...all.map((each) => each?.bytes ?? honest), last])
        const answers = await untilClosed(bytes)
        expect(answers).toEqual([...all.map((each) => (each === null ? 200 : 401)), 405])
      }),
      { numRuns: 60 },
    )
    expect(await stored()).toBe(2)
  })
})

/** All statuses that come until the other side closes. */
function untilClosed(bytes: Buffer): Promise<number[]> {
  return new Promise((resolve) => {
    const socket = connect(receiving.port, '127.0.0.1')
    let raw = ''
    socket.on('data', (part: Buffer) => {
      raw += part.toString('latin1')
    })
    socket.on('close', () => resolve([...raw.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))))
    socket.write(bytes)
  })
}
