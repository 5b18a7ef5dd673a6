import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
    expect(large.status).toBe(413)
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

  it('that answers a form leads on, in another language too, to the page that the form belongs to', async () => {
    const { cookie, csrf } = await signIn(secrets.all)
    const backOf = async (path: string) => {
      const text = await (await post(path, { csrf }, { cookie })).text()
      return /action="\/console\/language".*?name="back" value="([^"]*)"/s.exec(text)?.[1]
    }
    expect(await backOf(`/console/orders/${order}/personal-data`)).toBe(`/console/orders/${order}`)
    expect(await backOf('/console/holds/1/release')).toBe('/console/queues')
    expect(await backOf('/console/deliveries/retry')).toBe('/console/deliveries')
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

describe('quotas', () => {
  const call = (tenant: string, method: string, calls: number, limited = 0) =>
    api.parts.database.pool.query(
      `INSERT INTO call_minutes (minute, app_id, tenant_key, api, calls, delivered, limited)
       VALUES (date_trunc('minute', now()) - interval '3 minutes', 'cli_a', $1, $2, $3, $3, $4)`,
      [tenant, method, calls, limited],
    )
  const read = async (path: string) => {
    const { cookie } = await signIn(secrets.read)
    const reply = await get(path, { cookie })
    expect(reply.status).toBe(200)
    return reply.text()
  }

  it('are read as tables, also without scripts: all calls, those that were most first, against the limit', async () => {
    await call('tk_few', 'cancel', 3)
    await call('tk_many', 'update_progress', 500, 4)
    const text = await read('/console/quotas')
    expect(text).toContain('500 calls, at most 500 in a minute: 50 % of 1000; 429s: 4')
    expect(text).toContain('3 calls, at most 3 in a minute: 0.3 % of 1000; 429s: 0')
    expect(text.indexOf('usage-cli_a-tk_many')).toBeLessThan(text.indexOf('usage-cli_a-tk_few'))
    expect(await read('/console')).toContain('500 calls, at most 500')
  })

  it('are narrowed to a tenant, a method and a span', async () => {
    const text = await read('/console/quotas?tenant_key=tk_few&api=cancel&span=35d')
    expect(text).toContain('usage-cli_a-tk_few-cancel')
    expect(text).not.toContain('tk_many')
    expect(text).toMatch(/<option value="35d" selected>/)
    expect(await read('/console/quotas?api=update_result')).toContain('Feishu was not called in this time.')
  })

  it('leave the other figures of the overview in place when too many have called', async () => {
    await api.parts.database.pool.query(
      `INSERT INTO call_minutes (minute, app_id, tenant_key, api, calls)
       SELECT date_trunc('minute', now()), 'cli_a', 'tk_' || n, 'cancel', 1 FROM generate_series(0, 20000) n`,
    )
    for (const path of ['/console', '/console/quotas']) expect(await read(path)).toContain('more than 20000 points')
    expect(await read('/console')).toContain('Vendor breaker')
    expect(await read('/console/quotas?tenant_key=tk_many')).toContain('500 calls, at most 500')
  })
})
