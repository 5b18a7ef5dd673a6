import type { Buffer } from 'node:buffer'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import type { OpenedReport, ReportQuestion } from '../../src/flow/vendor/adapter.js'
import { createFileFetch, type FileFetchSettings } from '../../src/flow/vendor/file-fetch.js'
import { startProxy } from '../platform/http-peers.js'
import { eventually } from '../support/eventually.js'
import { type Answer, certificate, isPublic, privately, publicly, startFileHost } from '../support/file-host.js'

const tls = certificate()
const pdf = '%PDF-1.4 a report of somebody'
const whole = { method: 'GET' } as const

/** A name server that knows the host of files, and one in a private network. */
const names: Record<string, string[]> = {
  'files.example.com': [publicly],
  'inside.example.com': [privately],
  'both.example.com': [privately, publicly],
  'metadata.example.com': ['169.254.169.254', '::1', 'fd00::1', '::ffff:127.0.0.1'],
}
const resolve = async (host: string) => {
  const found = names[host]
  if (found === undefined) throw new Error('ENOTFOUND')
  return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
}

function fetcher(settings: Partial<FileFetchSettings> = {}) {
  const open = createFileFetch({
    timeoutMs: 10_000,
    proxyFor: () => null,
    resolve,
    isPublic,
    ca: tls.cert,
    ...settings,
  })
  return (url: string, asked: ReportQuestion = whole, signal = new AbortController().signal) =>
    open({ orderId: 'V-1', backgroundCheckId: '1', stageId: null, name: 'a.pdf', url }, asked, { signal })
}

const served = (headers: Record<string, string> = {}, body: string | Buffer = pdf, status = 200): Answer => {
  return (_, response) => response.writeHead(status, { 'content-type': 'application/pdf', ...headers }).end(body)
}

async function read(opened: OpenedReport): Promise<string> {
  if (opened.kind !== 'opened') throw new Error(`expected a file, got ${JSON.stringify(opened)}`)
  return text(opened.body)
}

/** What became of it, and of a body that nobody wants. */
function kindOf(opened: OpenedReport): string {
  if (opened.kind === 'opened') opened.body.destroy()
  return opened.kind === 'refused' ? opened.why : opened.kind
}

describe('a link', () => {
  it('is fetched over https from a public address, with nothing of the vendor’s key', async () => {
    const host = await startFileHost(served({ 'set-cookie': 'a=b' }), publicly, tls)
    const opened = await fetcher()(`https://files.example.com:${host.port}/r/1.pdf?signature=x`)
    expect(await read(opened)).toBe(pdf)
    expect(host.seen[0]?.url).toBe('/r/1.pdf?signature=x')
    expect(host.seen[0]?.headers).toEqual({
      host: `files.example.com:${host.port}`,
      accept: 'application/pdf',
      'accept-encoding': 'identity',
      'user-agent': 'bgc-bridge',
      connection: 'close',
    })
  })

  it('of the vendor’s own origin is fetched wherever it is, without https and without its key', async () => {
    const host = await startFileHost(served(), privately)
    const ownOrigin = `http://127.0.0.1:${host.port}`
    expect(await read(await fetcher({ ownOrigin })(`${ownOrigin}/1.pdf`))).toBe(pdf)
    expect(host.seen[0]?.headers.authorization).toBeUndefined()
    expect(kindOf(await fetcher()(`${ownOrigin}/1.pdf`))).toBe('address')
  })

  it.each(['inside.example.com', 'metadata.example.com'])(
    'to the name %s of a private address reaches nobody',
    async (name) => {
      const host = await startFileHost(served(), privately, tls)
      expect(kindOf(await fetcher()(`https://${name}:${host.port}/1.pdf`))).toBe('address')
      expect(host.sockets.size + host.seen.length).toBe(0)
    },
  )

  it('to a name with a private and a public address goes to the public one', async () => {
    const inside = await startFileHost(served(), privately, tls)
    const asked: string[] = []
    const outside = await startFileHost(served(), publicly, tls)
    const opened = await fetcher({
      resolve: async (host) => {
        asked.push(host)
        return resolve(host)
      },
    })(`https://both.example.com:${outside.port}/1.pdf`)
    expect(await read(opened)).toBe(pdf)
    expect(asked).toEqual(['both.example.com'])
    expect(inside.seen).toEqual([])
  })

  it('goes to the address that was judged, although its name leads elsewhere a moment later', async () => {
    const outside = await startFileHost(served(), publicly, tls)
    let asked = 0
    const rebinding = async () => {
      asked += 1
      return [{ address: asked === 1 ? publicly : privately, family: 4 }]
    }
    expect(await read(await fetcher({ resolve: rebinding })(`https://files.example.com:${outside.port}/`))).toBe(pdf)
    expect(asked).toBe(1)
    expect(kindOf(await fetcher({ resolve: rebinding })(`https://files.example.com:${outside.port}/`))).toBe('address')
  })

  it('to a host with a certificate that nobody trusts is not fetched', async () => {
    const host = await startFileHost(served(), publicly, tls)
    const { ca: _, ...usual } = { ca: '', timeoutMs: 10_000, proxyFor: () => null, resolve, isPublic }
    const open = createFileFetch(usual)
    const url = `https://files.example.com:${host.port}/`
    const report = { orderId: null, backgroundCheckId: '1', stageId: null, name: 'a', url }
    expect(kindOf(await open(report, whole, { signal: new AbortController().signal }))).toBe('retry')
    expect(host.seen).toEqual([])
  })

  it('of no name is tried again later', async () => {
    expect(await fetcher()('https://nobody.example.com/secret?secret')).toEqual({
      kind: 'retry',
      message: 'the name of the link cannot be resolved',
      ambiguous: false,
    })
  })
})

describe('a redirect', () => {
  /** A host of files that leads on from /0 as told, and has a PDF at /file. */
  async function leadingTo(...locations: string[]) {
    const host = await startFileHost(
      (request, response) => {
        const step = Number(request.url?.slice(1))
        const location = locations[step]?.replaceAll('{port}', String(host.port))
        if (location === undefined) return served()(request, response)
        response.writeHead(step % 2 ? 307 : 302, { location }).end('on')
      },
      publicly,
      tls,
    )
    return host
  }

  it('is followed three times, and no more', async () => {
    const host = await leadingTo('/1', 'https://files.example.com:{port}/2', '3', '4')
    expect(await read(await fetcher()(`https://files.example.com:${host.port}/1`))).toBe(pdf)
    expect(kindOf(await fetcher()(`https://files.example.com:${host.port}/0`))).toBe('redirect')
  })

  it.each([
    ['to a private name', 'https://inside.example.com:{port}/file'],
    ['to a private address', 'https://127.0.0.1:{port}/file'],
    ['to a private address in hex', 'https://0x7f000001:{port}/file'],
    ['to an address in IPv6', 'https://[::ffff:127.0.0.1]:{port}/file'],
    ['without encryption', 'http://files.example.com:{port}/file'],
    ['to a file', 'file:///etc/passwd'],
    ['with a user', 'https://u:p@files.example.com:{port}/file'],
    ['to nothing', ''],
  ])('%s is not followed', async (_, location) => {
    const inside = await startFileHost(served(), privately, tls)
    const host = await leadingTo(
      location === '' ? 'https://' : location.replace('inside.example.com:{port}', `inside.example.com:${inside.port}`),
    )
    expect(kindOf(await fetcher()(`https://files.example.com:${host.port}/0`))).toBe('redirect')
    expect(host.seen).toHaveLength(1)
    expect(inside.seen).toEqual([])
  })

  it('from somebody else to the vendor’s own private origin is not followed', async () => {
    const own = await startFileHost(served(), privately)
    const ownOrigin = `http://127.0.0.1:${own.port}`
    const host = await leadingTo(`${ownOrigin}/file`)
    expect(kindOf(await fetcher({ ownOrigin })(`https://files.example.com:${host.port}/0`))).toBe('redirect')
    expect(own.seen).toEqual([])
  })

  it('from the vendor to its store of files is', async () => {
    const store = await startFileHost(served(), publicly, tls)
    const own = await startFileHost((_, response) => {
      response.writeHead(302, { location: `https://files.example.com:${store.port}/1.pdf` }).end()
    }, privately)
    const ownOrigin = `http://127.0.0.1:${own.port}`
    expect(await read(await fetcher({ ownOrigin })(`${ownOrigin}/1.pdf`))).toBe(pdf)
  })
})

describe('an answer', () => {
  const open = async (answer: Answer, asked?: ReportQuestion, settings?: Partial<FileFetchSettings>) => {
    const host = await startFileHost(answer, publicly, tls)
    return { host, opened: await fetcher(settings)(`https://files.example.com:${host.port}/1.pdf`, asked) }
  }

  it.each([
    ['text/html', '<html>', 'type'],
    ['application/json', '{}', 'type'],
    ['application/octet-stream', '<html>please log in</html>', 'type'],
    ['binary/octet-stream', '', 'type'],
    ['application/octet-stream', 'x'.repeat(2000) + pdf, 'type'],
    ['application/octet-stream', pdf, 'opened'],
    ['binary/octet-stream', `\u0000\u0001${pdf}`, 'opened'],
    ['application/octet-stream', `${'x'.repeat(600)}${pdf}${'y'.repeat(200_000)}`, 'opened'],
    ['application/pdf;charset=binary', pdf, 'opened'],
    ['Application/PDF', pdf, 'opened'],
  ])('of type %s with the body %j is %s', async (type, body, kind) => {
    const { opened } = await open(served({ 'content-type': type }, body))
    if (opened.kind === 'opened') expect(await read(opened)).toBe(body)
    expect(kindOf(opened)).toBe(kind)
  })

  it('with its mark in two pieces is a PDF', async () => {
    const { opened } = await open((_, response) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' })
      response.write('%PD')
      setTimeout(() => response.end('F-1.4 rest'), 20)
    })
    expect(await read(opened)).toBe('%PDF-1.4 rest')
  })

  it.each([
    [200, { 'content-length': '1001' }, 'size'],
    [200, { 'content-encoding': 'gzip' }, 'encoding'],
    [200, { 'content-encoding': 'identity' }, 'opened'],
    [206, { 'content-range': 'bytes 0-9/100' }, 'answer'],
    [401, {}, 'gone'],
    [403, {}, 'gone'],
    [404, {}, 'gone'],
    [410, {}, 'gone'],
    [204, {}, 'retry'],
    [304, {}, 'retry'],
    [416, {}, 'retry'],
    [429, { 'retry-after': '7' }, 'retry'],
    [500, {}, 'retry'],
    [503, {}, 'retry'],
  ])('with %i and %j is %s', async (status, headers, kind) => {
    const { opened, host } = await open(
      (_, response) => {
        response.writeHead(status, { 'content-type': 'application/pdf', ...headers })
        // The rest never comes, where there may be one.
        if (status === 204 || status === 304) response.end()
        else response.write('x')
      },
      whole,
      { mostBytes: 1000 },
    )
    if (opened.kind === 'retry' && status === 429) expect(opened.retryAfterMs).toBe(7000)
    expect(kindOf(opened)).toBe(kind)
    // Nothing goes on behind what is not wanted.
    await eventually(() => host.sockets.size).toBe(0)
  })

  const part = (range: string, headers: Record<string, string>, body = '0123456789') =>
    open(
      served({ 'content-range': range, ...headers }, body, 206),
      { method: 'GET', range: 'bytes=10-19' },
      { mostBytes: 1000 },
    )

  it('with the part that was asked for is passed on as such', async () => {
    const { opened, host } = await part('bytes 10-19/100', { etag: '"v1"' })
    expect(opened).toMatchObject({
      status: 206,
      length: 10,
      contentRange: 'bytes 10-19/100',
      etag: '"v1"',
      ranges: true,
    })
    expect(await read(opened)).toBe('0123456789')
    expect(host.seen[0]?.headers.range).toBe('bytes=10-19')
  })

  it.each([
    ['bytes 10-14/15', {}, '01234', 'opened'],
    ['bytes 0-9/100', {}, undefined, 'answer'],
    ['bytes 10-29/100', {}, undefined, 'answer'],
    ['bytes 10-19/19', {}, undefined, 'answer'],
    ['bytes 19-10/100', {}, undefined, 'answer'],
    ['bytes 10-19/1001', {}, undefined, 'size'],
    ['bytes */100', {}, undefined, 'answer'],
    ['10-19/100', {}, undefined, 'answer'],
    ['bytes 10-19/100', { 'content-length': '9' }, '012345678', 'answer'],
    ['bytes 10-19/100', { 'content-type': 'multipart/byteranges; boundary=x' }, undefined, 'type'],
  ])('with the part %j and %j is %s', async (range, headers, body, kind) => {
    expect(kindOf((await part(range, headers, body)).opened)).toBe(kind)
  })

  it('that has no such range says how long the file is', async () => {
    const answer = served({ 'content-range': 'bytes */100' }, '', 416)
    const { opened } = await open(answer, { method: 'GET', range: 'bytes=500-' })
    expect(opened).toEqual({ kind: 'unsatisfiable', contentRange: 'bytes */100' })
  })

  it.each([
    ['W/"weak"', undefined],
    ['unquoted', undefined],
    ['"fine"', '"fine"'],
  ])('with the tag %s is told with %s', async (etag, told) => {
    const { opened } = await open(served({ etag }))
    expect(opened.kind === 'opened' ? opened.etag : 'none').toBe(told)
    kindOf(opened)
  })

  it('that does not come in time is given up, and its connection closed', async () => {
    const { opened, host } = await open(() => undefined, whole, { timeoutMs: 200 })
    expect(opened).toMatchObject({ kind: 'retry', message: 'no file within 200 ms' })
    await eventually(() => host.sockets.size).toBe(0)
  })

  it('that begins and then stops before it shows what it is, is given up', async () => {
    const { opened, host } = await open(
      (_, response) => response.writeHead(200, { 'content-type': 'application/octet-stream' }).write('%P'),
      whole,
      { timeoutMs: 300 },
    )
    expect(kindOf(opened)).toBe('retry')
    await eventually(() => host.sockets.size).toBe(0)
  })

  it('is asked for no longer when the caller stops, before its head and in the middle', async () => {
    const stopped = new AbortController()
    const host = await startFileHost(
      (request, response) => {
        if (request.url === '/never') return
        response.writeHead(200, { 'content-type': 'application/pdf' }).write(pdf)
      },
      publicly,
      tls,
    )
    const never = fetcher()(`https://files.example.com:${host.port}/never`, whole, stopped.signal)
    const opened = await fetcher()(`https://files.example.com:${host.port}/1`, whole, stopped.signal)
    await eventually(() => host.seen.length).toBe(2)
    const reading = read(opened)
    stopped.abort()
    await expect(reading).rejects.toThrow()
    expect(kindOf(await never)).toBe('retry')
    await eventually(() => host.sockets.size).toBe(0)
    expect(kindOf(await fetcher()(`https://files.example.com:${host.port}/1`, whole, stopped.signal))).toBe('retry')
  })
})

describe('through a proxy', () => {
  const through = async (refuse?: number) => {
    const proxy = await startProxy(refuse)
    return { proxy, proxyFor: () => new URL(proxy.origin) }
  }

  it('a file is fetched by its name', async () => {
    const { proxy, proxyFor } = await through()
    // The proxy of the tests leads every tunnel to localhost.
    const host = await startFileHost(served(), 'localhost', tls)
    expect(await read(await fetcher({ proxyFor })(`https://files.example.com:${host.port}/1.pdf`))).toBe(pdf)
    expect(proxy.tunnels).toEqual([`files.example.com:${host.port}`])
  })

  it.each([
    'https://inside.example.com/1.pdf',
    'https://127.0.0.1/1.pdf',
    'https://localhost/1.pdf',
    'https://metadata/1.pdf',
    'https://vault.internal/1.pdf',
  ])('%s reaches nobody', async (link) => {
    const { proxy, proxyFor } = await through()
    expect(kindOf(await fetcher({ proxyFor })(link))).toBe('address')
    expect(proxy.connections).toEqual([])
  })

  it('a name that only the proxy knows is asked for, and its refusal is no file', async () => {
    const { proxy, proxyFor } = await through(403)
    expect(kindOf(await fetcher({ proxyFor })('https://only-outside.example.org/1.pdf'))).toBe('retry')
    expect(proxy.tunnels).toEqual(['only-outside.example.org:443'])
  })

  it('the vendor’s own origin is asked for as its API is', async () => {
    const { proxy, proxyFor } = await through()
    const host = await startFileHost(served(), privately)
    const ownOrigin = `http://127.0.0.1:${host.port}`
    expect(await read(await fetcher({ proxyFor, ownOrigin })(`${ownOrigin}/1.pdf`))).toBe(pdf)
    expect(proxy.seen).toHaveLength(1)
  })
})
