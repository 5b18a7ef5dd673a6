import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { head } from '../support/raw-http.js'
import { defaultPath, type Receiving, startReceiving } from '../support/receiving.js'
import { count, type Ground, layGround } from '../support/room.js'
import { forgedEvents, honestEvent } from './forged-events.js'
import { forgedBodies, forgedTargets } from './forged-requests.js'
import { requestOf, send } from './hostile.js'
import { bytesInUse, mebibyte } from './memory.js'

let ground: Ground
let receiving: Receiving
const sockets: Socket[] = []

beforeEach(async () => {
  ground = await layGround()
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await receiving.stop()
  await ground.stop()
})

/** A connection that is there and has sent what it has to send. */
async function hold(...parts: Array<string | Buffer>): Promise<Socket> {
  const socket = connect(receiving.port, '127.0.0.1').on('error', () => undefined)
  sockets.push(socket)
  await once(socket.resume(), 'connect')
  for (const part of parts) socket.write(part)
  return socket
}

const stillOpen = () => sockets.filter(({ closed }) => !closed).length

/** Each over a connection of its own. */
async function honestEvents(many: number): Promise<Array<number | null>> {
  const outcomes: Array<number | null> = []
  for (let index = 0; index < many; index += 1) {
    const { body, headers } = honestEvent().push
    outcomes.push((await send(receiving.port, requestOf(body, Object.entries(headers)))).status)
  }
  return outcomes
}

describe('with more connections than there may be', () => {
  const most = 40
  const slowBody = head(defaultPath, [['Content-Length', '500']])
  const held: Array<[string, Array<string | Buffer>]> = [
    ['say nothing', []],
    ['send half a head', [`POST ${defaultPath} HTTP/1.1\r\nHost: x\r\nX-A: `]],
    ['send half a body', [slowBody, '{"encrypt":"']],
    ['send half a chunk', [head(defaultPath, [['Transfer-Encoding', 'chunked']]), 'ffff\r\nabc']],
    ['were answered and stay', [requestOf('{}')]],
  ]

  test.each(held)('those that %s are ended, and every honest event is taken', async (_how, parts) => {
    receiving = await startReceiving(ground, undefined, { server: { connections: most } })
    for (let index = 0; index < 5 * most; index += 1) await hold(...parts)
    expect(await honestEvents(20)).toEqual(Array(20).fill(200))
    expect(await count(ground.database, 'events')).toBe(20)
    await expect.poll(stillOpen).toBeLessThanOrEqual(most)
  })

  test('one that is being worked for is not ended for another', async () => {
    let settle: (outcome: 'accepted') => void = () => undefined
    const settled = new Promise<'accepted'>((resolve) => {
      settle = resolve
    })
    let begun = 0
    const accept = () => {
      begun += 1
      return settled
    }
    const slow = { accept, isKnown: async () => false }
    receiving = await startReceiving(ground, slow, { server: { connections: 3 } })
    const working = [1, 2, 3].map(() => {
      const { body, headers } = honestEvent().push
      return send(receiving.port, requestOf(body, Object.entries(headers)))
    })
    await expect.poll(() => begun).toBe(3)
    for (let index = 0; index < 6; index += 1) await once(await hold(), 'close')
    settle('accepted')
    expect((await Promise.all(working)).map(({ status }) => status)).toEqual([200, 200, 200])
  })
})

test('large bodies that never end leave room for events, and all of it comes back', async () => {
  receiving = await startReceiving(ground)
  const part = Buffer.alloc(900_000, 0x20)
  const before = await bytesInUse()
  const answers: string[] = []
  for (let index = 0; index < 120; index += 1) {
    const socket = await hold(head(defaultPath, [['Content-Length', '1000000']]), part)
    socket.on('data', (bytes: Buffer) => answers.push(bytes.toString('latin1', 9, 12)))
    if (index % 12 === 0) expect(await honestEvents(1)).toEqual([200])
  }
  expect((await bytesInUse()) - before).toBeLessThan(100 * mebibyte)
  await expect.poll(() => answers.length, { timeout: 20_000 }).toBe(120)
  expect(new Set(answers)).toEqual(new Set(['503', '408']))
  for (const socket of sockets) socket.destroy()
  // As large as the ones that were refused.
  for (let index = 0; index < 3; index += 1) {
    expect((await send(receiving.port, requestOf(Buffer.concat([Buffer.from('{}'), part])))).status).toBe(401)
  }
  expect((await bytesInUse()) - before).toBeLessThan(16 * mebibyte)
})

test('twenty thousand hostile requests leave no memory behind, and honest events among them are all taken', {
  timeout: 300_000,
}, async () => {
  receiving = await startReceiving(ground)
  const small = [...forgedEvents(), ...forgedBodies(), ...forgedTargets()].filter(
    ({ bytes, status }) => bytes.length < 8000 && status !== 408,
  )
  const attack = async (many: number) => {
    let next = 0
    const wrong: string[] = []
    const attacker = async () => {
      while (next < many) {
        const [hostile] = small.slice(next % small.length)
        next += 1
        if (hostile === undefined) continue
        const { name, bytes, status } = hostile
        const outcome = await send(receiving.port, bytes)
        if (outcome.status !== status) wrong.push(`${name}: ${outcome.status}`)
      }
    }
    await Promise.all(Array.from({ length: 16 }, attacker))
    return wrong
  }
  await attack(2000)
  await honestEvents(5)
  receiving.reasons.length = 0
  const before = await bytesInUse()
  const [wrong, honest] = await Promise.all([attack(20_000), honestEvents(100)])
  expect(wrong).toEqual([])
  expect(honest).toEqual(Array(100).fill(200))
  receiving.reasons.length = 0
  expect((await bytesInUse()) - before).toBeLessThan(8 * mebibyte)
  expect(await count(ground.database, 'events')).toBe(105)
  expect(await count(ground.database, 'seen_events')).toBe(105)
})
