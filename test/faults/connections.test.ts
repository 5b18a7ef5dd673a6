import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type Limits, type Listening, listen } from '../../src/operate/server.js'
import { head } from '../support/raw-http.js'
import { send } from './hostile.js'

let server: Listening | undefined
const sockets: Socket[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server?.stop()
})

const ask = Buffer.from(head('/', [['Connection', 'close']], 'GET'))
/** More than the system takes off a server's hands for somebody who does not read. */
const large = Buffer.alloc(32 * 1024 * 1024)

function open(limits: Partial<Limits>, answer: (response: ServerResponse) => void): Promise<Listening> {
  return listen((_request, response) => answer(response), '127.0.0.1', 0, new AbortController().signal, limits)
}

/** Asks, and never reads. */
async function deafPeer(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  sockets.push(socket.pause())
  await once(socket, 'connect')
  socket.write(ask)
  return socket
}

/** Settles when the server has let go of as many answers, sent or not. */
function countEnds() {
  const ends = { begun: 0, closed: 0 }
  const note = (response: ServerResponse) => {
    ends.begun += 1
    response.once('close', () => {
      ends.closed += 1
    })
  }
  return { ends, note }
}

test('who does not read its answer gives way to the next', async () => {
  const { ends, note } = countEnds()
  let size = large
  server = await open({ connections: 3 }, (response) => {
    note(response)
    response.end(size)
  })
  for (let index = 0; index < 3; index += 1) await deafPeer(server.port)
  await expect.poll(() => ends).toEqual({ begun: 3, closed: 0 })
  size = Buffer.from('short')
  expect((await send(server.port, ask)).body).toBe('short')
  await expect.poll(() => ends).toEqual({ begun: 4, closed: 2 })
})

test('who does not read its answer is cut off after a while', async () => {
  const { ends, note } = countEnds()
  server = await open({ silentForMs: 50 }, (response) => {
    note(response)
    response.end(large)
  })
  await deafPeer(server.port)
  await expect.poll(() => ends, { timeout: 5000 }).toEqual({ begun: 1, closed: 1 })
})

test('the connection that has waited for longest gives way, and an answer makes it young again', async () => {
  server = await open({ connections: 3 }, (response) => response.end('here'))
  const { port } = server
  const quiet = async () => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    sockets.push(socket)
    await once(socket, 'connect')
    return socket
  }
  const [first, second, third] = [await quiet(), await quiet(), await quiet()]
  first.write(head('/', [], 'GET'))
  await once(first, 'data')
  await quiet()
  await once(second.resume(), 'close')
  await quiet()
  await once(third.resume(), 'close')
  expect(first.closed).toBe(false)
  await quiet()
  await once(first.resume(), 'close')
})
