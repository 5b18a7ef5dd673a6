import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routes } from '../../src/operate/api/routes.js'
import { type Api, secrets, startOperators } from './harness.js'

let api: Api
beforeAll(async () => {
  api = await startOperators()
})
afterAll(() => api.stop())

const paths = routes.map(({ method, path, scopes }) => [method, path.replaceAll(/\{\w+\}/g, '1'), scopes] as const)

/** For writes that want a body, one that fits; what they do is not of interest here. */
const bodies: Readonly<Record<string, object>> = {
  'POST /v1/deliveries/retry': { filter: {} },
  'POST /v1/orders/search': { email: 'canary@example.com' },
  'PUT /v1/accounts/1': { tenant_key: 'tk_a' },
  'PUT /v1/accounts/1/catalog': { packages: [], additional_items: [], custom_fields: [] },
  'PATCH /v1/accounts/1/custom-fields': { custom_field_list: [] },
  'POST /v1/tripartite-agreements': { tenant_key: 'tk_a', application_id: '1', state: 1 },
  'PUT /v1/tripartite-agreements/1': { tenant_key: 'tk_a', state: 1 },
}

/** What asks Feishu and has no rows of its own. */
const asksFeishu = 'GET /v1/tripartite-agreements'

describe('the key', () => {
  it.each(paths)('is asked for by %s %s', async (method, path) => {
    const headers = ['', 'Basic abc', 'Bearer', `Bearer ${secrets.all}x`, `Bearer ${secrets.all.slice(1)}`, secrets.all]
    for (const authorization of headers) {
      const { status, headers, body } = await api.call(method, path, { secret: null, headers: { authorization } })
      expect([status, headers.get('www-authenticate'), body['type']]).toEqual([
        401,
        'Bearer',
        '/docs/problems#unauthorized',
      ])
    }
  })

  it('is asked for before a path is known not to be there', async () => {
    expect((await api.call('GET', '/v1/nothing', { secret: null })).status).toBe(401)
    expect((await api.call('PUT', '/v1', { secret: null })).status).toBe(401)
  })

  it('fits nobody where none is configured', async () => {
    const closed = await startOperators({ apiKeys: '' })
    for (const secret of [null, '', 'undefined', secrets.all]) {
      expect((await closed.call('GET', '/v1/orders', { secret })).status).toBe(401)
    }
    await closed.stop()
  })

  it.each(paths)('needs a scope for %s %s, and the refusal names it', async (method, path, scopes) => {
    const secret = scopes.includes('read') ? secrets.operate : secrets.read
    const reply = await api.call(method, path, { secret })
    expect(reply.status).toBe(403)
    expect(reply.body).toMatchObject({ type: '/docs/problems#forbidden', status: 403 })
    expect(reply.body['detail']).toMatch(new RegExp(`lacks the scope ${scopes.join(' or ')}$`))
  })

  it('with the scope notify opens the vendor’s notice and nothing else', async () => {
    for (const [method, path] of paths) {
      const { status } = await api.call(method, path, { secret: secrets.notify })
      expect([path, status]).toEqual([path, path.startsWith('/v1/vendor/') ? 202 : 403])
    }
  })

  it('may be sent with the scheme in any case', async () => {
    const headers = { authorization: `bEaReR   ${secrets.read}` }
    expect((await api.call('GET', '/v1/orders', { secret: null, headers })).status).toBe(200)
  })
})

describe('a path', () => {
  it.each([
    '/v1',
    '/v1/',
    '/v1/nothing',
    '/v1/orders/',
    '/v1/orders/1/poll/2',
    '/V1/orders',
    '/v1/Orders',
    '/nothing',
    '/',
  ])('that nothing is at is 404: %s', async (path) => {
    const { status, headers, body } = await api.call('GET', path)
    expect([status, headers.get('content-type')]).toEqual([404, 'application/problem+json; charset=utf-8'])
    expect(body).toMatchObject({ type: '/docs/problems#not-found', title: 'There is no such thing', status: 404 })
  })

  it.each([
    ['DELETE', '/v1/orders', 'GET, HEAD'],
    ['POST', '/v1/orders/1', 'GET, HEAD'],
    ['GET', '/v1/orders/1/poll', 'POST'],
    ['OPTIONS', '/v1/holds/1/release', 'POST'],
    ['POST', '/healthz', 'GET, HEAD'],
    ['PUT', '/metrics', 'GET, HEAD'],
  ])('says which methods it takes: %s %s', async (method, path, allow) => {
    const { status, headers, body } = await api.call(method, path)
    expect([status, headers.get('allow'), body['type']]).toEqual([405, allow, '/docs/problems#method-not-allowed'])
  })

  it('answers HEAD as GET, without the body', async () => {
    const { status, headers, body } = await api.call('HEAD', '/v1/orders')
    expect([status, headers.get('content-type'), body['text']]).toEqual([200, 'application/json; charset=utf-8', ''])
  })

  it.each(['%', '%zz', '%c3%28', '%ff'])('with half an encoding is 400: %s', async (id) => {
    expect((await api.call('GET', `/v1/orders/${id}`)).body['type']).toBe('/docs/problems#invalid-request')
  })

  const strange = [
    `'`,
    `1' OR '1'='1`,
    '"',
    '%',
    '100%',
    '__proto__',
    'constructor',
    '\0',
    '1\n',
    '../1',
    '😀',
    '9'.repeat(400),
    '-1',
    '1.5',
  ]
  it.each(strange)('with an id that nothing has is 404: %j', async (id) => {
    const encoded = encodeURIComponent(id)
    for (const [method, path] of paths.filter(([, each]) => /\/1(\/|$)/.test(each) && !each.includes('/vendor/'))) {
      const { status, body } = await api.call(method, path.replace(/\/1(?=\/|$)/, `/${encoded}`))
      expect([path, status, body['detail']]).toEqual([path, 404, 'nothing has this id'])
    }
  })

  it('with an id beyond any counter is 404', async () => {
    for (const id of ['9223372036854775807', '9223372036854775808', '9999999999999999999']) {
      expect((await api.call('GET', `/v1/deliveries/${id}`)).status).toBe(404)
      expect((await api.call('POST', `/v1/events/${id}/retry`)).status).toBe(404)
      expect((await api.call('POST', `/v1/holds/${id}/release`)).status).toBe(404)
    }
  })

  it('below /v1 is not there where operators are not let in', async () => {
    const outside = await startOperators({ operators: false, metricsHere: false })
    for (const path of ['/v1/orders', '/metrics']) expect((await outside.call('GET', path)).status).toBe(404)
    expect((await outside.call('GET', '/healthz')).body).toEqual({ status: 'ok' })
    await outside.stop()
  })
})

describe('a query', () => {
  const lists = ['/v1/orders', '/v1/deliveries', '/v1/events', '/v1/accounts', '/v1/holds']

  it.each(lists)('of %s may leave parameters empty', async (path) => {
    const { status, body } = await api.call('GET', `${path}?state=&limit=&cursor=`)
    expect([status, body]).toEqual([200, { items: [], next_cursor: null }])
  })

  const misfits = [
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=1e2', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=99999999999999999999', 'limit'],
    ['state=nothing', 'state'],
    ['state=__proto__', 'state'],
    ['cursor=nothing', 'cursor'],
    ['cursor=WyJhIl0', 'cursor'],
    ['cursor=eyJfX3Byb3RvX18iOjF9', 'cursor'],
    [`cursor=${'A'.repeat(5000)}`, 'cursor'],
    ['limit=1&limit=2', 'limit'],
    ['unknown=1', 'unknown'],
    ['__proto__=1', '__proto__'],
    ['constructor=', 'constructor'],
    ['reveal=true', 'reveal'],
  ] as const
  it.each(lists)('of %s that does not fit is 400 and says where', async (path) => {
    for (const [query, name] of misfits) {
      const { status, body } = await api.call('GET', `${path}?${query}`)
      expect([query, status, body['type']]).toEqual([query, 400, '/docs/problems#invalid-request'])
      expect(body['errors']).toEqual([{ path: name, message: expect.stringMatching(/expected|not a parameter/) }])
    }
  })

  it('that asks for more than one wrong thing is told of all', async () => {
    const { body } = await api.call('GET', '/v1/deliveries?api=x&class=y&tenant_key=%00&z=1')
    const errors = body['errors'] as Array<{ path: string; message: string }>
    expect(errors.map((each) => each.path).toSorted()).toEqual(['api', 'class', 'tenant_key', 'z'])
    expect(errors.find((each) => each.path === 'z')?.message).toBe(
      'not a parameter of this path; there are: state, class, api, tenant_key, limit, cursor',
    )
  })

  it('with a cursor of another kind of list is 400', async () => {
    const foreign = Buffer.from(JSON.stringify([-1, '1'])).toString('base64url')
    const beyond = Buffer.from(JSON.stringify([8.64e15, '1'])).toString('base64url')
    const evil = Buffer.from(JSON.stringify([0, 'a\0'])).toString('base64url')
    for (const cursor of [foreign, beyond, evil]) {
      for (const path of lists) expect((await api.call('GET', `${path}?cursor=${cursor}`)).status).toBe(400)
    }
  })
})

describe('a body', () => {
  const path = '/v1/orders/1/poll'
  const json = { 'content-type': 'application/json' }

  it.each([
    ['{"a":1}', json, 400],
    ['[]', json, 400],
    ['{"__proto__":{"a":1}}', json, 400],
    ['{', json, 400],
    ['"text"', json, 400],
    ['{}', json, 404],
    ['{}', { 'content-type': 'application/json; charset=utf-8' }, 404],
    ['{}', { 'content-type': 'text/plain' }, 415],
    ['a=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['{}', { 'content-type': 'application/jsonish' }, 415],
    ['{}', { ...json, 'content-encoding': 'gzip' }, 415],
    ['{}', { 'content-type': 'application/json; charset=latin1' }, 415],
    [`{"a":"${'x'.repeat(1_048_577)}"}`, json, 413],
    [`${' '.repeat(1_048_574)}{}`, json, 404],
  ] as Array<[string, Record<string, string>, number]>)('%.20s with %j is %i', async (body, headers, status) => {
    const reply = await api.call('POST', path, { body, headers })
    expect(reply.status).toBe(status)
    expect(reply.body['status']).toBe(status)
    expect(JSON.stringify(reply.body)).not.toContain('xxx')
  })

  it('that is sent in pieces and grows too large is 413', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { ...json, authorization: `Bearer ${secrets.all}` }
      const sent = request(`${api.url}${path}`, { method: 'POST', headers }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      sent.on('error', reject)
      for (let piece = 0; piece < 20; piece += 1) sent.write('x'.repeat(65_536))
      sent.end()
    })
    expect(status).toBe(413)
  })

  it('is not looked at without a key', async () => {
    expect((await api.call('POST', path, { secret: null, body: '{', headers: json })).status).toBe(401)
  })
})

describe('a failure', () => {
  it('of the database is 503 with a problem, for reads and writes', async () => {
    const away = await startOperators({ databaseUrl: 'postgres://nobody:canary-password@127.0.0.1:1/none' })
    for (const [method, path] of paths.filter((each) => each.slice(0, 2).join(' ') !== asksFeishu)) {
      const fitting = bodies[`${method} ${path}`]
      const sent = fitting && { body: JSON.stringify(fitting), headers: { 'content-type': 'application/json' } }
      const { status, headers, body } = await away.call(
        method,
        path.startsWith('/v1/tripartite') && method === 'DELETE' ? `${path}?tenant_key=tk_a` : path,
        sent,
      )
      expect([path, status, headers.get('retry-after')]).toEqual([path, 503, '5'])
      expect(body).toMatchObject({ type: '/docs/problems#unavailable', status: 503 })
      expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|canary|prisma|ECONN/i)
    }
    expect(away.log.join('')).not.toContain('canary-password')
    await away.stop()
  })

  it('that nobody expected is 500 without the inside, and its id is in the log', async () => {
    const broken = await startOperators()
    await broken.parts.database.pool.query('DROP TABLE holds CASCADE')
    for (const [method, path] of [
      ['GET', '/v1/holds'],
      ['POST', '/v1/holds/1/release'],
    ] as const) {
      const { status, body } = await broken.call(method, path)
      const instance = String(body['instance'])
      expect([status, body['type']]).toEqual([500, '/docs/problems#internal'])
      expect(JSON.stringify(body)).not.toMatch(/holds|prisma|relation|table/i)
      const line = JSON.parse(broken.log.find((each) => each.includes(instance.slice('urn:uuid:'.length))) ?? '{}')
      expect(line).toMatchObject({
        event: 'api.failed',
        level: 'error',
        method,
        route: expect.stringMatching('/v1/holds'),
      })
    }
    await broken.stop()
  })
})

it('lets nobody keep an answer', async () => {
  for (const secret of [null, secrets.all]) {
    expect((await api.call('GET', '/v1/orders', { secret })).headers.get('cache-control')).toBe('no-store')
  }
})
