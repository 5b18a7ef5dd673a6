import net from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createHttpClient, type HttpClientSettings, type HttpRequest } from '../../src/platform/http-call.js'
import { eventually } from '../support/eventually.js'
import { freePort } from '../support/free-port.js'
import { holdTimeouts } from '../support/held-timeouts.js'
import { listen, selfSigned, startPeer, startProxy } from './http-peers.js'

const CANARY = 'canary-4711'

function client(settings: HttpClientSettings = {}) {
  const made = createHttpClient(settings)
  onTestFinished(() => made.stop())
  const call = (url: string, more: Partial<HttpRequest> = {}) =>
    made.call({ method: 'GET', url: new URL(url), timeoutMs: 20_000, ...more })
  return { call, stop: () => made.stop() }
}

const later = { timeoutMs: 500 }
const soon = { timeoutMs: 60 }

describe('an answer', () => {
  it('carries status, headers and the body as it came', async () => {
    const peer = await startPeer((_, response) => response.writeHead(207, { 'x-kind': 'a' }).end('ünd'))
    const answer = await client().call(`${peer.origin}/a?b=c`)
    expect(answer).toMatchObject({ kind: 'answer', status: 207, headers: { 'x-kind': 'a' }, body: Buffer.from('ünd') })
    expect(peer.seen[0]).toMatchObject({ method: 'GET', path: '/a?b=c', headers: { host: `127.0.0.1:${peer.port}` } })
  })

  it('comes to a body that was sent with its length', async () => {
    const peer = await startPeer((_, response) => response.end())
    await client().call(peer.origin, { method: 'POST', body: '{"a":"ü"}', headers: { 'x-mine': '1' } })
    expect(peer.seen[0]).toMatchObject({ body: '{"a":"ü"}', headers: { 'content-length': '10', 'x-mine': '1' } })
  })

  it('is not followed elsewhere', async () => {
    const peer = await startPeer((_, response) => response.writeHead(302, { location: '/other' }).end())
    expect(await client().call(peer.origin)).toMatchObject({ kind: 'answer', status: 302 })
    expect(peer.seen).toHaveLength(1)
  })

  it('leaves its connection to the next call', async () => {
    const peer = await startPeer((_, response) => response.end('x'))
    const { call } = client()
    for (let i = 0; i < 5; i++) expect(await call(peer.origin)).toMatchObject({ kind: 'answer' })
    expect(peer.connections).toHaveLength(1)
  })

  it.each([
    ['declared', { 'content-length': '11' }],
    ['not declared', {}],
  ])('of more than the limit is refused, its length %s', async (_, headers: Record<string, string>) => {
    const peer = await startPeer((_request, response) => response.writeHead(200, headers).end('12345678901'))
    const { call } = client({ maxAnswerBytes: 10 })
    expect(await call(peer.origin)).toEqual({
      kind: 'too_large',
      message: `${peer.origin}: the answer has more than 10 bytes`,
    })
  })

  it('may have 5 MiB', async () => {
    const peer = await startPeer((request, response) => response.end(Buffer.alloc(Number(request.path.slice(1)))))
    const { call } = client()
    expect(await call(`${peer.origin}/${5 * 1024 * 1024}`)).toMatchObject({ kind: 'answer' })
    expect(await call(`${peer.origin}/${5 * 1024 * 1024 + 1}`)).toMatchObject({ kind: 'too_large' })
  })
})

describe('certainly not sent', () => {
  it('is a refused connection', async () => {
    const port = await freePort()
    const answer = await client().call(`http://127.0.0.1:${port}/?q=${CANARY}`, { method: 'POST', body: CANARY })
    expect(answer).toEqual({
      kind: 'not_sent',
      message: `http://127.0.0.1:${port}: no connection (ECONNREFUSED)`,
    })
  })

  it('is a name that nobody has', async () => {
    expect(await client().call('http://nobody.invalid/', { timeoutMs: 50_000 })).toMatchObject({
      kind: 'not_sent',
      message: expect.stringMatching(/^http:\/\/nobody\.invalid: no connection \((ENOTFOUND|EAI_AGAIN)\)$/),
    })
  })

  it('is a header that HTTP cannot carry', async () => {
    const answer = await client().call('http://127.0.0.1:1', { headers: { 'x-a': `${CANARY}\n` } })
    expect(answer).toMatchObject({ kind: 'not_sent', message: expect.stringContaining('ERR_INVALID_CHAR') })
    expect(JSON.stringify(answer)).not.toContain(CANARY)
  })

  it('is a call that was stopped before it began', async () => {
    const peer = await startPeer((_, response) => response.end())
    expect(await client().call(peer.origin, { signal: AbortSignal.abort() })).toMatchObject({ kind: 'not_sent' })
    expect(peer.connections).toHaveLength(0)
  })
})

describe('lost', () => {
  it('is a call without an answer in time, and its connection is reset', async () => {
    const pass = holdTimeouts()
    const peer = await startPeer(() => undefined)
    const answer = client().call(peer.origin, { ...later, method: 'POST', body: CANARY })
    await eventually(() => peer.seen).toHaveLength(1)
    pass(500)
    expect(await answer).toEqual({ kind: 'lost', message: `${peer.origin}: no complete answer within 500 ms` })
    await eventually(() => peer.endings).toEqual(['ECONNRESET'])
  })

  it('is an answer that does not end in time', async () => {
    const pass = holdTimeouts()
    const peer = await startPeer((_, response) => response.writeHead(200).write('half'))
    const answer = client().call(peer.origin, later)
    await eventually(() => peer.seen).toHaveLength(1)
    // A whole call later, the half has come.
    const other = await startPeer((_, response) => response.end())
    await client().call(other.origin)
    pass(500)
    expect(await answer).toMatchObject({ kind: 'lost' })
    await eventually(() => peer.endings).toEqual(['ECONNRESET'])
  })

  it.each([
    ['before the answer', (): void => undefined],
    ['within the headers', (socket: net.Socket) => void socket.write('HTTP/1.1 200 OK\r\nconte')],
    ['within the body', (socket: net.Socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1234')],
    [
      'within a chunk',
      (socket: net.Socket) => void socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n1'),
    ],
  ])('is a connection that ends %s', async (_, begin) => {
    const server = net.createServer((socket) => {
      socket.once('data', () => {
        begin(socket)
        socket.end()
      })
    })
    const { origin } = await listen(server, 'http://127.0.0.1')
    expect(await client().call(origin, { method: 'POST', body: 'x' })).toMatchObject({ kind: 'lost' })
  })

  it('is a connection that is reset within the answer', async () => {
    const peer = await startPeer((_, response, socket) => {
      response.writeHead(200).write('half', () => socket.resetAndDestroy())
    })
    expect(await client().call(peer.origin)).toMatchObject({ kind: 'lost' })
  })

  it.each(['garbage\r\n\r\n', `HTTP/1.1 200 OK\r\nx-${CANARY}: a\u0000b\r\n\r\n`])(
    'is what is no HTTP',
    async (text) => {
      const server = net.createServer((socket) => socket.once('data', () => socket.end(text)))
      const { origin } = await listen(server, 'http://127.0.0.1')
      const answer = await client().call(origin)
      expect(answer).toMatchObject({ kind: 'lost', message: expect.stringContaining('HPE_') })
      expect(JSON.stringify(answer)).not.toContain(CANARY)
    },
  )

  it('is a call that was stopped underway', async () => {
    const stop = new AbortController()
    const peer = await startPeer(() => stop.abort())
    const answer = await client().call(peer.origin, { signal: stop.signal })
    expect(answer).toMatchObject({ kind: 'lost', message: expect.stringContaining('before it was stopped') })
    await eventually(() => peer.endings).toEqual(['ECONNRESET'])
  })
})

describe('a kept connection that the server closes', () => {
  /** Answers the first request of each connection; the second meets a reset, when there is one. */
  const closing = () => {
    const used = new WeakSet<net.Socket>()
    return startPeer((_, response, socket) => {
      if (used.has(socket)) socket.resetAndDestroy()
      else response.end('x')
      used.add(socket)
    })
  }

  it('is not noticed by whoever reads', async () => {
    const peer = await closing()
    const { call } = client()
    await call(peer.origin)
    expect(await call(peer.origin)).toMatchObject({ kind: 'answer' })
    expect(peer.seen).toHaveLength(3)
    expect(peer.connections).toHaveLength(2)
  })

  it('loses what was written, once', async () => {
    const peer = await closing()
    const { call } = client()
    await call(peer.origin)
    expect(await call(peer.origin, { method: 'POST', body: 'x' })).toMatchObject({ kind: 'lost' })
    expect(peer.seen).toHaveLength(2)
  })

  it('is repeated for a read only once', async () => {
    let answers = 1
    const peer = await startPeer((_, response, socket) =>
      answers-- > 0 ? response.end('x') : socket.resetAndDestroy(),
    )
    const { call } = client()
    await call(peer.origin)
    expect(await call(peer.origin)).toMatchObject({ kind: 'lost' })
    expect(peer.seen).toHaveLength(3)
  })
})

describe.skipIf(selfSigned() === null)('TLS', () => {
  const tls = selfSigned() ?? { key: '', cert: '' }

  it('carries calls and is kept', async () => {
    const peer = await startPeer((_, response) => response.end('x'), tls)
    const { call } = client({ ca: tls.cert })
    for (let i = 0; i < 3; i++) expect(await call(peer.origin)).toMatchObject({ kind: 'answer', status: 200 })
    expect(peer.connections).toHaveLength(1)
  })

  it('with a certificate that nobody vouches for sends nothing', async () => {
    const peer = await startPeer((_, response) => response.end('x'), tls)
    expect(await client().call(peer.origin, { method: 'POST', body: 'x' })).toEqual({
      kind: 'not_sent',
      message: `${peer.origin}: no connection (DEPTH_ZERO_SELF_SIGNED_CERT)`,
    })
    expect(peer.seen).toHaveLength(0)
  })

  it('with somebody who does not speak it sends nothing', async () => {
    const server = net.createServer((socket) => socket.once('data', () => socket.end('HTTP/1.1 400 No\r\n\r\n')))
    const { port } = await listen(server, 'https://localhost')
    expect(await client().call(`https://localhost:${port}`)).toMatchObject({ kind: 'not_sent' })
  })

  it('that does not come about in time sends nothing, and leaves no connection behind', async () => {
    const silent = await listen(
      net.createServer((socket) => socket.resume()),
      'https://localhost',
    )
    const answer = await client({ ca: tls.cert }).call(silent.origin, soon)
    expect(answer).toMatchObject({ kind: 'not_sent', message: expect.stringContaining('no connection within 60 ms') })
    await eventually(() => silent.endings).toHaveLength(1)
  })

  it('is reset below when time is over', async () => {
    const pass = holdTimeouts()
    const peer = await startPeer(() => undefined, tls)
    const answer = client({ ca: tls.cert }).call(peer.origin, later)
    await eventually(() => peer.seen).toHaveLength(1)
    pass(500)
    expect(await answer).toMatchObject({ kind: 'lost' })
    await eventually(() => peer.endings).toEqual(['ECONNRESET'])
  })

  it('goes through a tunnel of the proxy, which is kept', async () => {
    const peer = await startPeer((_, response) => response.end('x'), tls)
    const proxy = await startProxy()
    const { call } = client({ ca: tls.cert, proxy: { httpsProxy: proxy.origin.replace('//', '//user:p%40ss@') } })
    for (let i = 0; i < 3; i++) expect(await call(peer.origin)).toMatchObject({ kind: 'answer' })
    const credentials = `Basic ${Buffer.from('user:p@ss').toString('base64')}`
    expect(proxy.tunnels).toEqual([`localhost:${peer.port} ${credentials}`])
    expect(peer.seen[0]?.headers['proxy-authorization']).toBeUndefined()
  })

  it('is reset through the tunnel', async () => {
    const pass = holdTimeouts()
    const peer = await startPeer(() => undefined, tls)
    const proxy = await startProxy()
    const { call } = client({ ca: tls.cert, proxy: { httpsProxy: proxy.origin } })
    const answer = call(peer.origin, later)
    await eventually(() => peer.seen).toHaveLength(1)
    pass(500)
    expect(await answer).toMatchObject({ kind: 'lost' })
    await eventually(() => proxy.endings).toEqual(['ECONNRESET'])
  })

  it.each([407, 502])('is not sent when the proxy refuses the tunnel with %i', async (status) => {
    const proxy = await startProxy(status)
    const { call } = client({ proxy: { httpsProxy: proxy.origin } })
    expect(await call('https://vendor.example/x', { method: 'POST', body: 'x' })).toEqual({
      kind: 'not_sent',
      message: `https://vendor.example: the proxy refused the call (${status})`,
    })
  })

  it('is not sent when the proxy never makes the tunnel, and leaves no connection behind', async () => {
    const silent = await listen(
      net.createServer((socket) => socket.resume()),
      'http://127.0.0.1',
    )
    const { call } = client({ proxy: { httpsProxy: silent.origin } })
    expect(await call('https://vendor.example/', soon)).toMatchObject({ kind: 'not_sent' })
    await eventually(() => silent.endings).toHaveLength(1)
  })

  it('passes the proxy by for hosts that it is not for', async () => {
    const peer = await startPeer((_, response) => response.end('x'), tls)
    const proxy = await startProxy()
    const { call } = client({ ca: tls.cert, proxy: { httpsProxy: proxy.origin, noProxy: 'example.com, localhost' } })
    expect(await call(peer.origin)).toMatchObject({ kind: 'answer' })
    expect(proxy.tunnels).toEqual([])
  })
})

describe('without TLS, a proxy', () => {
  it('gets the whole address', async () => {
    const peer = await startPeer((_, response) => response.end('through'))
    const proxy = await startProxy()
    const { call } = client({ proxy: { httpProxy: proxy.origin.replace('//', '//user:pass@') } })
    expect(await call(`${peer.origin}/a?b=c#d`)).toMatchObject({ kind: 'answer', body: Buffer.from('through') })
    expect(proxy.seen[0]).toMatchObject({
      path: `${peer.origin}/a?b=c`,
      headers: { host: `127.0.0.1:${peer.port}`, 'proxy-authorization': expect.stringMatching(/^Basic /) },
    })
  })

  it('that asks for credentials has passed nothing on', async () => {
    const proxy = await startProxy(407)
    const { call } = client({ proxy: { httpProxy: proxy.origin } })
    expect(await call('http://vendor.example/', { method: 'POST', body: 'x' })).toMatchObject({ kind: 'not_sent' })
  })
})
