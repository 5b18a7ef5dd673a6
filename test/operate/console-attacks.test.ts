import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assets } from '../../src/operate/console/assets.js'
import { actions, pages } from '../../src/operate/console/pages.js'
import { createSessions } from '../../src/operate/console/session.js'
import { type Api, secrets, startOperators } from './harness.js'
import { addPolledOrder } from './rows.js'
import { type Asked, askOf, enter, type Visitor } from './visitor.js'

let api: Api
let mine: Visitor
let theirs: Visitor

const order = '7400000000000000601'

beforeAll(async () => {
  api = await startOperators({ gauges: true })
  await addPolledOrder(api, order, 'V-601')
  mine = await enter(api)
  theirs = await enter(api)
})

afterAll(() => api.stop())

const ask = (method: string, path: string, { from = api, ...asked }: Asked & { from?: Api } = {}) =>
  askOf(from, method, path, asked)

const filled = (path: string) => `/console${path}`.replaceAll(':id', order)
const everyForm = [...actions.map(({ path }) => filled(path)), '/console/sign-out']
const everyPage = pages.map(({ path }) => `/console${path === '/' ? '' : path}`)

describe('forms', () => {
  it.each(everyForm)('%s needs a session, and the token of this one, from a page of ours', async (path) => {
    const { cookie, csrf } = mine
    const rows = async () => (await api.parts.database.pool.query('SELECT count(*) FROM audit')).rows[0].count
    const before = await rows()
    expect((await ask('POST', path, { fields: { csrf } })).status, 'no session').toBe(401)
    expect((await ask('POST', path, { cookie, fields: {} })).status, 'no token').toBe(403)
    expect((await ask('POST', path, { cookie, fields: { csrf: '' } })).status, 'an empty token').toBe(403)
    expect((await ask('POST', path, { cookie, fields: { csrf: theirs.csrf } })).status, 'another’s token').toBe(403)
    expect(
      (
        await ask('POST', path, {
          cookie,
          fields: [
            ['csrf', csrf],
            ['csrf', csrf],
          ],
        })
      ).status,
      'two',
    ).toBe(403)
    for (const site of ['cross-site', 'same-site']) {
      const headers = { 'sec-fetch-site': site }
      expect((await ask('POST', path, { cookie, fields: { csrf }, headers })).status, site).toBe(403)
    }
    expect((await ask('POST', `${path}?csrf=${csrf}`, { cookie, fields: {} })).status, 'in the address').toBe(403)
    expect(await rows()).toBe(before)
  })

  it.each(everyForm)('%s does nothing for other methods', async (path) => {
    const before = await api.parts.database.pool.query('SELECT count(*) FROM audit')
    for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE']) {
      const { status } = await ask(method, path, { cookie: mine.cookie })
      expect([303, 404], `${method} ${path}`).toContain(status)
    }
    expect((await api.parts.database.pool.query('SELECT count(*) FROM audit')).rows).toEqual(before.rows)
  })

  it('that are too large, too many, or not text are refused before anything else', async () => {
    const { cookie, csrf } = mine
    const path = `/console/orders/${order}/cancel`
    const many = [['csrf', csrf], ...Array.from({ length: 5000 }, (_, index) => [`f${index}`, '1'])]
    expect((await ask('POST', path, { cookie, fields: many })).status).toBe(413)
    expect((await ask('POST', '/console/sign-in', { fields: { secret: 'x'.repeat(100_000) } })).status).toBe(413)
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-encoding': 'gzip' }
    const zipped = await fetch(api.url + path, { method: 'POST', headers: { ...headers, cookie }, body: 'csrf=1' })
    expect(zipped.status).toBe(415)
  })
})

describe('sessions', () => {
  it.each(everyPage)('%s shows nothing without one, whatever stands in its place', async (path) => {
    const [body = '', mac = ''] = mine.cookie.replace('bgc_session=', '').split('.')
    const stranger = { name: 'all', secret: 'a-secret-of-somebody-else', scopes: ['read'] as const }
    const foreign = createSessions([stranger]).begin(stranger, Date.now())
    for (const value of ['', 'x', `${body}.`, `.${mac}`, `${body}.${mac.slice(1)}`, foreign, 'x'.repeat(6000)]) {
      const reply = await ask('GET', path.replaceAll(':id', order), { cookie: `bgc_session=${value}` })
      expect(reply.status, value.slice(0, 40)).toBe(401)
      expect(await reply.text()).not.toContain('V-601')
    }
  })

  it('end in the browser when somebody signs out, which is audited; nothing is kept to go back to', async () => {
    const { cookie, csrf } = await enter(api, secrets.read)
    const reply = await ask('POST', '/console/sign-out', { cookie, fields: { csrf } })
    expect([reply.status, reply.headers.get('location')]).toEqual([303, '/console'])
    expect(reply.headers.get('set-cookie')).toMatch(
      /^bgc_session=; Max-Age=0; Path=\/console; .*HttpOnly; SameSite=Lax$/,
    )
    for (const path of everyPage) {
      const page = await ask('GET', path.replaceAll(':id', order), { cookie: mine.cookie })
      expect(page.headers.get('cache-control'), path).toBe('no-store')
    }
    const found = await api.parts.database.pool.query(`SELECT actor, via FROM audit WHERE action = 'session.end'`)
    expect(found.rows).toEqual([{ actor: 'read', via: 'console' }])
  })

  it('begin for nobody where no key is configured', async () => {
    const closed = await startOperators({ apiKeys: '' })
    for (const path of everyPage) expect((await ask('GET', path, { from: closed })).status).toBe(401)
    for (const secret of ['', ' ', 'undefined', secrets.all]) {
      const reply = await ask('POST', '/console/sign-in', { fields: { secret }, from: closed })
      expect([reply.status, reply.headers.get('set-cookie')]).toEqual([401, null])
    }
    await closed.stop()
  })

  it('cost a cookie that goes by https only where a trusted proxy says that the browser came so', async () => {
    const behind = await startOperators({ trustedProxies: '127.0.0.1' })
    const headers = { 'x-forwarded-proto': 'https' }
    const fields = { secret: secrets.read }
    const cookieOf = async (from: Api) =>
      (await ask('POST', '/console/sign-in', { fields, headers, from })).headers.get('set-cookie')
    expect(await cookieOf(behind)).toContain('; Secure')
    expect(await cookieOf(api)).not.toContain('; Secure')
    await behind.stop()
  })
})

describe('addresses', () => {
  it('where nobody is to find the console have none', async () => {
    const door = await startOperators({ operators: false })
    for (const path of ['/console', '/console/orders', assets.script.href]) {
      expect((await ask('GET', path, { from: door })).status, path).toBe(404)
    }
    expect((await ask('POST', '/console/sign-in', { fields: { secret: secrets.all }, from: door })).status).toBe(404)
    await door.stop()
  })

  it.each([
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    '/console/..//evil.example',
    '/console\\@evil.example',
    '/console@evil.example',
    '/console.evil.example',
    'javascript:alert(1)',
    '/console\r\nSet-Cookie: a=b',
    '/console/\t/evil.example',
    ' /console',
    '',
  ])('that a sign-in or a language leads back to stay in the console: %j', async (back) => {
    for (const [path, fields] of [
      ['/console/sign-in', { secret: secrets.read, back }],
      ['/console/language', { language: 'en', back }],
    ] as const) {
      const reply = await ask('POST', path, { fields })
      expect([reply.status, reply.headers.get('location')]).toEqual([303, '/console'])
    }
  })

  it('of assets name assets only', async () => {
    expect((await ask('GET', assets.style.href)).status).toBe(200)
    const folder = assets.style.href.slice(0, assets.style.href.lastIndexOf('/'))
    for (const path of [
      'console.js',
      '../../../package.json',
      '..%2f..%2fapp.js',
      '%2e%2e/app.ts',
      'console.css%00',
      '',
    ]) {
      const reply = await ask('GET', `${folder}/${path}`)
      expect([401, 404], path).toContain(reply.status)
      expect(await reply.text()).not.toContain('import')
    }
  })

  it.each([
    ['/console/', 200],
    ['/console/orders/', 200],
    [`/console/orders/${order}/`, 200],
    ['/CONSOLE', 404],
    ['/console/Orders', 404],
    ['/console//orders', 404],
    ['/console//', 200],
    ['/console//:@?q=1', 404],
    ['/console/orders/%00', 404],
    ['/console/orders/..%2f..%2fv1', 404],
    ['/console/orders/%E0%A4%A', 400],
    [`/console/orders/${'9'.repeat(40)}`, 404],
    ['/console/sign-in', 303],
    ['/console/orders?cursor=%00%ff', 400],
    ['/console/orders?q=a&q=b', 400],
    ['/console/quotas?span=%00', 200],
    ['/console/quotas?tenant_key=%00', 200],
  ])('%s: %i', async (path, status) => {
    const reply = await ask('GET', path, { cookie: mine.cookie })
    expect(reply.status).toBe(status)
    if (path.startsWith('/console'))
      expect(reply.headers.get('content-security-policy')).toContain("default-src 'none'")
  })
})
