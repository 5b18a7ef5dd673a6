import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createFeishuHttp } from '../../src/flow/to-feishu/feishu-http.js'
import { eventually } from '../support/eventually.js'
import { holdTimeouts } from '../support/held-timeouts.js'
import { ask, callWith, clientOf, ok, progress, startPeer } from './feishu-peer.js'

test('reads an answer as it came', async () => {
  const peer = await startPeer((_seen, response) => response.writeHead(418, { 'x-some': 'thing' }).end('teapot'))
  const http = createFeishuHttp({ baseUrl: peer.url })
  onTestFinished(() => http.stop())
  const reply = await http.send({ method: 'GET', url: `${peer.url}/x`, headers: {} }, {})
  expect(reply).toMatchObject({ kind: 'answer', status: 418, body: Buffer.from('teapot') })
})

test('does not follow a redirect', async () => {
  const elsewhere = await startPeer(ok)
  const { reply } = await ask((_seen, response) => response.writeHead(307, { location: elsewhere.url }).end())
  expect(reply).toMatchObject({ kind: 'lost', httpStatus: 307 })
  expect(elsewhere.seen).toEqual([])
})

test('gives up an answer of more than 5 MiB', async () => {
  const { reply } = await ask((_seen, response) => {
    response.writeHead(200)
    response.end(Buffer.alloc(5 * 1024 * 1024 + 1, 'x'))
  })
  expect(reply).toMatchObject({ kind: 'lost', httpStatus: 200, message: 'an answer of more than 5242880 bytes' })
})

test('calls a broken connection lost', async () => {
  const { reply } = await ask((_seen, _response, socket) => socket.resetAndDestroy())
  expect(reply).toEqual({ kind: 'lost', message: 'the connection broke (ECONNRESET)' })
})

test('calls an answer that breaks off lost', async () => {
  const { reply } = await ask((_seen, response, socket) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('{"code":0')
    setImmediate(() => socket.destroy())
  })
  expect(reply).toMatchObject({ kind: 'lost', httpStatus: 200 })
})

test('calls a refused connection not sent', async () => {
  const reply = await clientOf('http://127.0.0.1:1').call(progress, callWith())
  expect(reply).toEqual({ kind: 'not_sent', message: 'no connection (ECONNREFUSED)' })
})

test('calls a failed TLS handshake not sent', async () => {
  const peer = await startPeer(ok)
  const reply = await clientOf(peer.url.replace('http:', 'https:')).call(progress, callWith())
  expect(reply).toMatchObject({ kind: 'not_sent' })
  expect(peer.seen).toEqual([])
})

test('calls a peer that never accepts TLS not sent, within the time of the call', async () => {
  const silent = await listen(createServer(() => undefined))
  const reply = await clientOf(`https://127.0.0.1:${silent}`, { timeoutMs: 60 }).call(progress, callWith())
  expect(reply).toEqual({ kind: 'not_sent', message: 'no complete answer within 60 ms' })
})

test('resets the connection of a call that takes too long', async () => {
  const pass = holdTimeouts()
  const endings: unknown[] = []
  const peer = await startPeer((_seen, _response, socket) => socket.on('error', (error) => endings.push(error)))
  const reply = clientOf(peer.url, { timeoutMs: 60 }).call(progress, callWith())
  await eventually(() => peer.seen).toHaveLength(1)
  pass(60)
  expect(await reply).toEqual({ kind: 'lost', message: 'no complete answer within 60 ms' })
  await eventually(() => endings).toEqual([expect.objectContaining({ code: 'ECONNRESET' })])
})

test('ends a call with the process', async () => {
  const stopping = new AbortController()
  const { reply } = await ask(() => stopping.abort(), {}, { signal: stopping.signal })
  expect(reply).toEqual({ kind: 'lost', message: 'the call was ended from our side' })
  const late = await ask(ok, {}, { signal: stopping.signal })
  expect(late.reply).toMatchObject({ kind: 'not_sent' })
  expect(late.peer.seen).toEqual([])
})

test('withdraws a call before its first byte, and keeps the connection that was made for it', async () => {
  const peer = await startPeer(ok)
  const client = clientOf(peer.url)
  const answers = [true, false]
  const mayWrite = vi.fn(() => answers.shift() ?? false)
  expect(await client.call(progress, callWith({ mayWrite }))).toEqual({ kind: 'withdrawn' })
  expect(peer.seen).toEqual([])
  expect(await client.call(progress, callWith({ mayWrite: () => true }))).toMatchObject({ kind: 'answer', code: 0 })
  expect(peer.connections()).toBe(1)
})

test('asks whether it may write when the connection stands, not before', async () => {
  const peer = await startPeer(ok)
  let connected = false
  peer.server.on('connection', () => {
    connected = true
  })
  const asked: boolean[] = []
  const mayWrite = () => asked.push(connected) > 0
  await clientOf(peer.url).call(progress, callWith({ mayWrite }))
  expect(asked.at(-1)).toBe(true)
})

test('writes nothing of a call that ended while its connection was made, and keeps the connection', async () => {
  const peer = await startPeer(ok)
  const opened: Array<() => void> = []
  const slow = await proxyServer([], (socket) => opened.push(() => tunnel(socket, peer.port)))
  const client = clientOf('http://feishu.test:8080', { proxy: () => new URL(`http://127.0.0.1:${slow}`) })
  const ending = new AbortController()
  const ended = client.call(progress, callWith({ signal: ending.signal }))
  await eventually(() => opened).toHaveLength(1)
  ending.abort()
  expect(await ended).toEqual({ kind: 'not_sent', message: 'the call was ended from our side' })
  opened[0]?.()
  await eventually(() => peer.connections()).toBe(1)
  // The client hears of the tunnel after the peer does, and before a call to another that is made later.
  expect(await clientOf(peer.url).call(progress, callWith())).toMatchObject({ kind: 'answer' })
  expect(await client.call(progress, callWith())).toMatchObject({ kind: 'answer', code: 0 })
  expect(peer.seen).toHaveLength(2)
  expect(opened).toHaveLength(1)
})

test('makes a new connection when the other side closed the one it kept', async () => {
  const peer = await startPeer((_seen, response, socket) => {
    response.on('finish', () => socket.end())
    ok(_seen, response, socket)
  })
  const closed = vi.fn()
  peer.server.on('connection', (socket) => socket.on('close', closed))
  const client = clientOf(peer.url)
  for (let calls = 1; calls <= 3; calls += 1) {
    expect(await client.call(progress, callWith())).toMatchObject({ kind: 'answer', code: 0 })
    await eventually(() => closed.mock.calls).toHaveLength(calls)
  }
})

test('uses no connection again that the answer says is over', async () => {
  const peer = await startPeer((_seen, response) => {
    response.setHeader('connection', 'close')
    response.end('{"code":0}')
  })
  const client = clientOf(peer.url)
  const replies = [await client.call(progress, callWith()), await client.call(progress, callWith())]
  expect(replies).toMatchObject([{ kind: 'answer' }, { kind: 'answer' }])
  expect(peer.connections()).toBe(2)
})

test('takes what is announced before the answer for no answer', async () => {
  const { reply } = await ask((_seen, response) => {
    response.writeEarlyHints({ link: '</x>; rel=preload' }, () => {
      response.writeHead(200, { 'x-tt-logid': 'log-1' })
      response.end('{"code":0}')
    })
  })
  expect(reply).toMatchObject({ kind: 'answer', httpStatus: 200, logId: 'log-1' })
})

test('keeps connections alive', async () => {
  const peer = await startPeer(ok)
  const client = clientOf(peer.url)
  for (let calls = 0; calls < 5; calls++) await client.call(progress, callWith())
  expect(peer.seen).toHaveLength(5)
  expect(peer.connections()).toBe(1)
})

test('closes a connection that nobody uses, used or not', async () => {
  const peer = await startPeer(ok)
  const closed = vi.fn()
  peer.server.on('connection', (socket) => socket.on('close', closed))
  const http = createFeishuHttp({ baseUrl: peer.url, idleMs: 20 })
  const answers = [true, false]
  const request = { method: 'POST', url: `${peer.url}/x`, headers: {}, body: '{}' }
  expect(await http.send(request, { mayWrite: () => answers.shift() ?? false })).toEqual({ kind: 'withdrawn' })
  await eventually(() => closed.mock.calls).toHaveLength(1)
  expect(await http.send(request, {})).toMatchObject({ kind: 'answer' })
  await eventually(() => closed.mock.calls).toHaveLength(2)
})

test('goes through a proxy, and takes the proxy’s refusal for nothing sent', async () => {
  const peer = await startPeer(ok)
  const asked: string[] = []
  const open = await proxyServer(asked, (socket) => tunnel(socket, peer.port))
  const through = (port: number) => ({ proxy: () => new URL(`http://user:p%40ss@127.0.0.1:${port}`) })
  expect(await clientOf('http://feishu.test:8080', through(open)).call(progress, callWith())).toMatchObject({ code: 0 })
  expect(asked[0]).toContain('CONNECT feishu.test:8080 HTTP/1.1')
  expect(asked[0]).toContain(`proxy-authorization: Basic ${Buffer.from('user:p@ss').toString('base64')}`)
  const closed = await proxyServer([], (socket) => socket.end('HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n'))
  const reply = await clientOf('http://feishu.test:8080', through(closed)).call(progress, callWith())
  expect(reply).toMatchObject({ kind: 'not_sent' })
})

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

function proxyServer(asked: string[], onConnect: (socket: Socket) => void): Promise<number> {
  return listen(
    createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.once('data', (head) => {
        asked.push(head.toString('latin1').replaceAll('Proxy-Authorization', 'proxy-authorization'))
        onConnect(socket)
      })
    }),
  )
}

function tunnel(socket: Socket, port: number): void {
  const target = connect(port, '127.0.0.1', () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    socket.pipe(target).pipe(socket)
  })
  target.on('error', () => socket.destroy())
}
