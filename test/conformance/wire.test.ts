import http from 'node:http'
import { gzipSync } from 'node:zlib'
import { expect, it, onTestFinished } from 'vitest'
import { idLike, idPrefix } from '../../src/conformance/test-data.js'
import { answered, call, order } from '../rooms/vendor-peer.js'
import { adapterOf, apiKey, complaints, namesOf, overHttp, resultsOf, startVendor } from './kit.js'

interface Passing {
  path: string
  headers: http.IncomingHttpHeaders
  answer: { status: number; headers: Record<string, string>; body: Buffer }
}

interface Change {
  asked?: (headers: Headers) => void
  answered?: (passing: Passing) => void
}

/** A vendor behind a server of its own, which changes what passes. */
async function startBehind(change: Change) {
  const sandbox = await startVendor()
  const pass = async (request: http.IncomingMessage, response: http.ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array))
    const { method = 'GET', url = '', headers } = request
    const { host: _, connection: __, 'content-length': ___, ...kept } = headers
    const onward = new Headers(kept as Record<string, string>)
    change.asked?.(onward)
    const { pathname, search } = new URL(url, sandbox.url)
    const body = method === 'POST' ? { body: Buffer.concat(chunks) } : {}
    const reply = await fetch(sandbox.url + pathname + search, { method, headers: onward, ...body })
    const passing = {
      path: pathname + search,
      headers,
      answer: {
        status: reply.status,
        headers: { 'content-type': reply.headers.get('content-type') ?? '' },
        body: Buffer.from(await reply.arrayBuffer()),
      },
    }
    change.answered?.(passing)
    response.writeHead(passing.answer.status, passing.answer.headers).end(passing.answer.body)
  }
  const server = http.createServer((request, response) => {
    pass(request, response).catch(() => request.socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { sandbox, url: `http://127.0.0.1:${port}` }
}

const padded = (passing: Passing, bytes: number) => {
  const json = JSON.parse(String(passing.answer.body)) as object
  passing.answer.body = Buffer.from(JSON.stringify({ ...json, padding: 'x'.repeat(bytes) }))
}
const mebi = 1024 * 1024

/** What the wire has, the check that finds it, and those that cannot but see it, too. */
const onTheWire: ReadonlyArray<readonly [string, Change, string, ...string[]]> = [
  ['takes any key', { asked: (headers) => headers.set('authorization', `Bearer ${apiKey}`) }, 'wrong-key'],
  [
    'lets in who brings no key',
    {
      asked: (headers) => (headers.has('authorization') ? undefined : headers.set('authorization', `Bearer ${apiKey}`)),
    },
    'wrong-key',
  ],
  [
    'says that its JSON is text',
    {
      answered: ({ answer }) => {
        answer.headers['content-type'] = 'text/plain'
      },
    },
    'json',
  ],
  [
    'compresses what was asked for as it is',
    {
      answered: ({ path, answer }) => {
        if (path !== '/capabilities') return
        answer.headers['content-encoding'] = 'gzip'
        answer.body = gzipSync(answer.body)
      },
    },
    'json',
    'capabilities',
  ],
  [
    'redirects',
    {
      answered: ({ path, answer }) => {
        if (!path.startsWith('/tripartite')) return
        answer.status = 301
        answer.headers['location'] = '/elsewhere'
      },
    },
    'redirects',
    'agreements',
    'agreements-cursor',
    'agreements-unknown-cursor',
  ],
  [
    'answers with 2 MiB',
    { answered: (passing) => (passing.path.startsWith('/orders?ids') ? padded(passing, 2 * mebi) : undefined) },
    'size',
  ],
  [
    'answers with more than 5 MiB',
    { answered: (passing) => (passing.path.startsWith('/tripartite') ? padded(passing, 5 * mebi) : undefined) },
    'size',
    'agreements',
    'agreements-cursor',
    'agreements-unknown-cursor',
  ],
  [
    'has another time',
    {
      answered: ({ answer }) => {
        answer.headers['date'] = new Date(Date.now() - 3_600_000).toUTCString()
      },
    },
    'clock',
  ],
]

const wireCases = onTheWire.map(([what, change, ...found]) => [what, { change, found }] as const)
it.each(wireCases)('a vendor that %s is found', async (_, { change, found }) => {
  const results = await overHttp(await startBehind(change))
  const complained = namesOf(results, 'failed', 'warning').filter((check) => check !== 'cancel-order-unknown')
  expect(complained.toSorted(), complaints(results).join('\n')).toEqual(found.toSorted())
  expect(JSON.stringify(results)).not.toContain(apiKey)
})

it('a vendor behind another server that changes nothing is as good', async () => {
  expect(complaints(await overHttp(await startBehind({})))).toEqual([
    expect.stringContaining('warning cancel-order-unknown'),
  ])
})

it('a vendor away from this machine without TLS is warned of', async () => {
  const { sandbox, url } = await startBehind({})
  // The other server takes requests in a proxy's form as well, for any host.
  const results = await resultsOf(
    { baseUrl: 'http://vendor.example', apiKey },
    { proxy: { httpProxy: url }, only: ['tls', 'capabilities'] },
  )
  expect(results.map(({ outcome }) => outcome)).toEqual(['warning', 'ok'])
  expect(sandbox.calls({ operation: 'capabilities' })).toHaveLength(1)
})

it('an order that is completed without a result is found on the wire', async () => {
  const sandbox = await startVendor()
  const { orderId } = answered(await adapterOf(sandbox).placeOrder(order, call))
  sandbox.setOrder(orderId, { status: 'completed' })
  const results = await overHttp(sandbox, { orderIds: [orderId], only: ['get-order', 'result', 'stage-ids'] })
  expect(namesOf(results, 'failed')).toEqual(['get-order', 'result'])
  expect(results[0]).toMatchObject({ got: expect.stringContaining('result: expected') })
})

it('says that a key is wrong, and nothing else, where it is', async () => {
  const sandbox = await startVendor()
  sandbox.setApiKey('another')
  const results = await overHttp(sandbox)
  expect(namesOf(results, 'ok')).toEqual([
    'tls',
    'wrong-key',
    'json',
    'redirects',
    'size',
    'clock',
    'latency',
    'clean-up',
  ])
  expect(results.find(({ check }) => check === 'place-order')).toMatchObject({
    outcome: 'failed',
    got: 'misconfigured: POST /orders answered 401: the key is not accepted',
  })
  expect(sandbox.orders()).toEqual([])
})

it('waits when it is told to come later, and comes again', async () => {
  const sandbox = await startVendor()
  const waits: number[] = []
  const pause = async (ms: number) => {
    waits.push(ms)
  }
  for (const resetSeconds of [7, 3]) {
    sandbox.addFault({ match: { operation: 'orders.create' }, action: { kind: 'rate_limited', resetSeconds } })
  }
  const results = await overHttp(sandbox, { pause, only: ['place-order', 'retry-after'] })
  expect(complaints(results)).toEqual([])
  expect(results.find(({ check }) => check === 'retry-after')).toMatchObject({ outcome: 'ok', detail: '2 of 429' })
  expect(waits).toEqual([7_000, 3_000])
})

it('cancels an order whose placing was lost', async () => {
  const sandbox = await startVendor()
  sandbox.addFault({ match: { operation: 'orders.create' }, action: { kind: 'reset', apply: true } })
  const results = await overHttp(sandbox, { only: ['place-order'] })
  expect(results).toMatchObject([
    { check: 'place-order', outcome: 'failed' },
    { check: 'clean-up', outcome: 'ok', detail: '1 order' },
  ])
  expect(sandbox.orders()).toMatchObject([{ status: 'canceled' }])
})

it('names the check of an order that may be there and cannot be looked for', async () => {
  const sandbox = await startVendor()
  sandbox.addFault({ match: { operation: 'orders.create' }, action: { kind: 'server_error', apply: true } })
  sandbox.addFault({ match: { operation: 'orders.find' }, action: { kind: 'server_error' }, times: 'always' })
  const results = await overHttp(sandbox, { only: ['place-order'] })
  const [left] = sandbox.orders()
  expect(results[1]).toMatchObject({
    outcome: 'warning',
    got: `1 left: of check ${left?.backgroundCheckId}, which cannot be looked for`,
  })
})

it.each([
  ['V-1', /^V-9\d{8}$/],
  ['12', /^9\d{8}$/],
  ['20260102000123', /^20\d{12}$/],
  ['9b2d7c1e-4a5f-4c3b-8d2e-0123456789ab', /^9b2d7c1e-4a5f-4c3b-8d2e-[0-9a-f]{12}$/],
  ['ORDER', /^[A-Z]{5}$/],
])('makes up ids like %s', (id, kind) => {
  expect(idLike(id)).toMatch(kind)
})

it('gives its orders ids of 19 digits with one beginning, below 2^63, each once', async () => {
  const sandbox = await startVendor()
  await overHttp(sandbox)
  await overHttp(sandbox)
  const ids = sandbox.orders().map(({ backgroundCheckId }) => backgroundCheckId)
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) {
    expect(id).toMatch(new RegExp(`^${idPrefix}\\d{15}$`))
    expect(BigInt(id)).toBeLessThan(2n ** 63n)
  }
})
