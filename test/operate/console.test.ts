import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSessions, isCsrfOf, sessionMs } from '../../src/operate/console/session.js'
import { type Api, secrets, startOperators } from './harness.js'
import { addFailedOrder, addPolledOrder, personal } from './rows.js'

let api: Api
const order = '7400000000000000501'

beforeAll(async () => {
  api = await startOperators({ failureLimit: { most: 3, withinMs: 60_000, addresses: 10 } })
  await addPolledOrder(api, order, 'V-501')
})

afterAll(() => api.stop())

interface Browser {
  cookie: string
  csrf: string
}

function get(path: string, headers: Record<string, string> = {}) {
  return fetch(`${api.url}${path}`, { headers, redirect: 'manual' })
}

function post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  return fetch(`${api.url}${path}`, { method: 'POST', body: new URLSearchParams(fields), headers, redirect: 'manual' })
}

async function signIn(secret: string): Promise<Browser> {
  const reply = await post('/console/sign-in', { secret, back: '/console' })
  expect(reply.status).toBe(303)
  const cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? ''
  const page = await (await get('/console/orders', { cookie })).text()
  return { cookie, csrf: /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? '' }
}

describe('signing in', () => {
  it('is asked for at every page, and nothing is shown before', async () => {
    for (const path of [
      '/console',
      '/console/orders',
      `/console/orders/${order}`,
      '/console/audit',
      '/console/nothing',
    ]) {
      const reply = await get(path)
      expect(reply.status, path).toBe(401)
      expect(await reply.text()).not.toContain('V-501')
    }
  })

  it('goes on to the page that was asked for, and to no other site', async () => {
    for (const [back, to] of [
      ['/console/orders?state=failed', '/console/orders?state=failed'],
      ['https://evil.example', '/console'],
      ['//evil.example', '/console'],
      ['/console//evil.example', '/console'],
      ['/console/\\evil.example', '/console'],
      ['/consoles', '/console'],
    ]) {
      const reply = await post('/console/sign-in', { secret: secrets.read, back: back ?? '' })
      expect(reply.headers.get('location'), back).toBe(to)
    }
  })

  it('is written to the audit, with the address', async () => {
    await signIn(secrets.notify)
    const found = await api.parts.database.pool.query(
      `SELECT via, action, subject, address FROM audit WHERE actor = 'notify'`,
    )
    expect(found.rows).toEqual([{ via: 'console', action: 'session.begin', subject: 'session', address: '127.0.0.1' }])
  })

  it('leaves a cookie that scripts and other sites do not get', async () => {
    const reply = await post('/console/sign-in', { secret: secrets.read, back: '/console' })
    expect(reply.headers.get('set-cookie')).toMatch(
      /^bgc_session=\S+; Max-Age=43200; Path=\/console; .*HttpOnly; SameSite=Lax$/,
    )
  })

  it('is refused to wrong secrets, which are slowed down, and never to a right one', async () => {
    const statuses: number[] = []
    for (let tries = 0; tries < 12; tries += 1) {
      statuses.push((await post('/console/sign-in', { secret: `wrong-${tries}` })).status)
    }
    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(401))
    expect(statuses.slice(10)).toEqual([429, 429])
    expect((await post('/console/sign-in', { secret: secrets.all })).status).toBe(303)
  })

  it('is refused from a form of another site', async () => {
    const reply = await post('/console/sign-in', { secret: secrets.all }, { 'sec-fetch-site': 'cross-site' })
    expect(reply.status).toBe(403)
    expect(reply.headers.get('set-cookie')).toBeNull()
  })
})

describe('a form', () => {
  it('does nothing without the token of its session, or from elsewhere', async () => {
    const { cookie, csrf } = await signIn(secrets.all)
    const other = await signIn(secrets.all)
    const poll = `/console/orders/${order}/poll`
    expect((await post(poll, {}, { cookie })).status).toBe(403)
    expect((await post(poll, { csrf: other.csrf }, { cookie })).status).toBe(403)
    expect((await post(poll, { csrf }, { cookie, 'sec-fetch-site': 'same-site' })).status).toBe(403)
    expect((await post(poll, { csrf })).status).toBe(401)
    expect(api.hints).toEqual([])
    const done = await post(poll, { csrf }, { cookie, 'sec-fetch-site': 'same-origin' })
    expect([done.status, done.headers.get('location')]).toEqual([303, `/console/orders/${order}?done=poll`])
    expect(api.hints).toEqual([['poll', '']])
  })

  it('is written to the audit as of the console', async () => {
    const { cookie, csrf } = await signIn(secrets.all)
    await addFailedOrder(api, '7400000000000000502')
    await post('/console/orders/7400000000000000502/retry', { csrf }, { cookie })
    const found = await api.parts.database.pool.query(
      `SELECT actor, via, action, outcome FROM audit WHERE subject = 'order:7400000000000000502'`,
    )
    expect(found.rows).toEqual([{ actor: 'all', via: 'console', action: 'orders.retry', outcome: 'done' }])
  })

  it('can do no more than its key', async () => {
    const { cookie, csrf } = await signIn(secrets.read)
    const page = await (await get(`/console/orders/${order}`, { cookie })).text()
    expect(page).not.toContain('/poll"')
    expect((await post(`/console/orders/${order}/poll`, { csrf }, { cookie })).status).toBe(403)
  })

  it('is refused in other encodings, and when it is too large', async () => {
    const { cookie, csrf } = await signIn(secrets.all)
    const poll = `${api.url}/console/orders/${order}/poll`
    const headers = { cookie, 'content-type': 'application/json' }
    expect((await fetch(poll, { method: 'POST', body: JSON.stringify({ csrf }), headers })).status).toBe(403)
    const large = await post(`/console/orders/${order}/cancel`, { csrf, reason: 'x'.repeat(70_000) }, { cookie })
    expect(large.status).toBe(400)
  })
})

describe('a page', () => {
  it('allows nothing inline and nothing from elsewhere', async () => {
    const { cookie } = await signIn(secrets.all)
    const reply = await get('/console/orders', { cookie })
    const policy = reply.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    const text = await reply.text()
    expect(text).not.toMatch(/<script(?![^>]*\ssrc=")|<style|\sstyle="|\son[a-z]+="|javascript:/i)
    for (const [, address] of text.matchAll(/(?:src|href)="([^"]*)"/g))
      expect(address).toMatch(/^(\/console|#|data:,|$)/)
    expect(reply.headers.get('cache-control')).toBe('no-store')
    expect(reply.headers.get('x-frame-options')).toBe('DENY')
  })

  it('shows nothing personal until it is asked for, and the asking is audited', async () => {
    const { cookie, csrf } = await signIn(secrets.all)
    const page = await (await get(`/console/orders/${order}`, { cookie })).text()
    expect(page).not.toMatch(personal)
    const asked = await post(`/console/orders/${order}/personal-data`, { csrf }, { cookie })
    expect(await asked.text()).toContain('Canary Candidate')
    const found = await api.parts.database.pool.query(
      `SELECT actor, via, action FROM audit WHERE subject = $1 AND action = 'orders.export'`,
      [`order:${order}`],
    )
    expect(found.rows).toEqual([{ actor: 'all', via: 'console', action: 'orders.export' }])
  })

  it('says what is wrong with a filter, and what is not there', async () => {
    const { cookie } = await signIn(secrets.all)
    const wrong = await get('/console/orders?state=lost', { cookie })
    expect(wrong.status).toBe(400)
    expect(await wrong.text()).toContain('expected one of')
    expect((await get('/console/orders/123', { cookie })).status).toBe(404)
    expect((await get('/console/nothing', { cookie })).status).toBe(404)
  })

  it('writes what came as text', async () => {
    const { cookie } = await signIn(secrets.all)
    const text = await (await get('/console/orders?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E', { cookie })).text()
    expect(text).not.toContain('<script>alert')
  })

  it('speaks the language that was chosen, else the browser’s', async () => {
    const language = async (headers: Record<string, string>) =>
      /<html lang="([^"]+)"/.exec(await (await get('/console', headers)).text())?.[1]
    expect(await language({ 'accept-language': 'zh-HK,zh;q=0.9,en;q=0.8' })).toBe('zh-CN')
    expect(await language({ 'accept-language': 'fr,en;q=0.5,zh;q=0.4' })).toBe('en')
    expect(await language({ 'accept-language': 'zh', cookie: 'bgc_language=en' })).toBe('en')
    const chosen = await post('/console/language', { language: 'zh', back: '/console/orders' })
    expect([chosen.status, chosen.headers.get('location')]).toEqual([303, '/console/orders'])
    expect(chosen.headers.get('set-cookie')).toContain('bgc_language=zh')
  })
})

describe('a session', () => {
  const keys = [
    { name: 'ops', secret: 'a-secret-of-24-characters', scopes: ['read'] as const },
    { name: 'dev', secret: 'b-secret-of-24-characters', scopes: ['read'] as const },
  ]
  const [ops] = keys
  if (ops === undefined) throw new Error('no key')
  const now = Date.UTC(2026, 0, 1)

  it('ends after its time, with its key, and with a change of the secret', () => {
    const cookie = createSessions(keys).begin(ops, now)
    expect(createSessions(keys).find(cookie, now + sessionMs - 1)?.key.name).toBe('ops')
    expect(createSessions(keys).find(cookie, now + sessionMs)).toBeUndefined()
    expect(createSessions(keys).find(cookie, now - 1)).toBeUndefined()
    expect(createSessions([{ ...ops, secret: 'another-secret-24-characters' }]).find(cookie, now)).toBeUndefined()
    expect(createSessions(keys.slice(1)).find(cookie, now)).toBeUndefined()
  })

  it('cannot be made up: each changed character is refused', () => {
    const sessions = createSessions(keys)
    const cookie = sessions.begin(ops, now)
    for (let index = 0; index < cookie.length; index += 1) {
      const changed = `${cookie.slice(0, index)}${cookie[index] === 'A' ? 'B' : 'A'}${cookie.slice(index + 1)}`
      const found = sessions.find(changed, now)
      // The last character of base64url may hold bits that stand for nothing.
      if (index !== cookie.length - 1) expect(found, `character ${index}`).toBeUndefined()
    }
    for (const wrong of ['', '.', 'a.b', `${cookie}.x`, 'null', undefined]) {
      expect(sessions.find(wrong, now)).toBeUndefined()
    }
  })

  it('has a token of its own', () => {
    const sessions = createSessions(keys)
    const [one, two] = [sessions.find(sessions.begin(ops, now), now), sessions.find(sessions.begin(ops, now), now)]
    if (one === undefined || two === undefined) throw new Error('no session')
    expect(isCsrfOf(one, one.csrf)).toBe(true)
    expect(isCsrfOf(one, two.csrf)).toBe(false)
    expect(isCsrfOf(one, undefined)).toBe(false)
  })
})
