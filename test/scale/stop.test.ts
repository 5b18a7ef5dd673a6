import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, test } from 'vitest'
import { type Listening, listen } from '../../src/operate/server.js'
import { eventually } from '../support/eventually.js'
import { head } from '../support/raw-http.js'

/** A stop that waits for one of these waits for longer than any test. */
const forEver = 3_600_000
const sockets: Socket[] = []
const servers: Listening[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

const kept = Buffer.from(head('/', [], 'GET'))

async function open(answer: (response: ServerResponse) => void, begunWithinMs = forEver) {
  const leaving = new AbortController()
  const limits = { begunWithinMs, silentForMs: forEver }
  const server = await listen((_request, response) => answer(response), '127.0.0.1', 0, leaving.signal, limits)
  servers.push(server)
  const peer = await peerOf(server.port)
  return { server, leaving, ...peer }
}

/** A client, what it has read, and whether its connection was ended. */
async function peerOf(port: number) {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  sockets.push(socket)
  const said = { text: '', isOver: false }
  socket.on('data', (bytes) => (said.text += bytes.toString())).on('close', () => (said.isOver = true))
  await once(socket, 'connect')
  return { socket, said }
}

test('a stop does not wait for a connection that has never asked for anything', async () => {
  const { server, said } = await open((response) => response.end())
  await server.stop()
  await eventually(() => said.isOver).toBe(true)
})

test('a stop does not wait for a connection that is kept for another request', async () => {
  const { server, socket, said } = await open((response) => response.end('whole'))
  socket.write(kept)
  await eventually(() => said.text).toContain('whole')
  await server.stop()
  await eventually(() => said.isOver).toBe(true)
})

test('a request that has begun may come to its end after a stop, and is answered', async () => {
  const { server, socket, said } = await open((response) => response.end('whole'))
  socket.write(kept.subarray(0, 10))
  await eventually(() => socket.bytesWritten).toBe(10)
  // A connection of its own, whose answer says that the server has read what came before.
  const other = await peerOf(server.port)
  other.socket.write(kept)
  await eventually(() => other.said.text).toContain('whole')
  const stopped = server.stop()
  socket.write(kept.subarray(10))
  await stopped
  await eventually(() => said.text).toMatch(/connection: close.*whole/is)
})

test('and is given up when it does not', async () => {
  const { server, socket, said } = await open((response) => response.end(), 50)
  socket.write(kept.subarray(0, 10))
  const other = await peerOf(server.port)
  other.socket.write(kept)
  await eventually(() => other.said.text).toContain('200 OK')
  await server.stop()
  await eventually(() => said.isOver).toBe(true)
})

test('an answer under way comes whole, and the connection that was to be kept ends with it', async () => {
  let answer: ServerResponse | undefined
  const { server, leaving, socket, said } = await open((response) => {
    answer = response
  })
  socket.write(kept)
  await eventually(() => answer !== undefined).toBe(true)
  leaving.abort()
  const stopped = server.stop()
  answer?.end('whole')
  await stopped
  await eventually(() => said.text).toMatch(/connection: close.*whole/is)
})

test('the same when its head was out before the stop', async () => {
  let answer: ServerResponse | undefined
  const { server, leaving, socket, said } = await open((response) => {
    answer = response
    response.write('the first half, ')
  })
  socket.write(kept)
  await eventually(() => said.text).toContain('half')
  leaving.abort()
  const stopped = server.stop()
  answer?.end('whole')
  await stopped
  await eventually(() => said.text).toContain('whole')
  await eventually(() => said.isOver).toBe(true)
})

test('from the moment of leaving each answer ends its connection, and new ones are taken until the stop', async () => {
  const { server, leaving, socket, said } = await open((response) => response.end('whole'))
  leaving.abort()
  socket.write(kept)
  await eventually(() => said.text).toMatch(/connection: close.*whole/is)
  await eventually(() => said.isOver).toBe(true)
  const later = await peerOf(server.port)
  later.socket.write(kept)
  await eventually(() => later.said.text).toContain('whole')
})
