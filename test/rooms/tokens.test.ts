import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { createTokens, type TokenApp } from '../../src/flow/to-feishu/tokens.js'
import { createTokenStore } from '../../src/flow/to-feishu/tokens-store.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { startSandboxFeishu } from '../../src/sandbox/feishu/server.js'
import { eventually } from '../support/eventually.js'
import { type Ground, layGround } from '../support/room.js'
import { json, type Seen, startPeer } from './feishu-peer.js'

const minute = 60_000
const secret = 'CANARY-secret-9c1'
const sealer = createSealer([{ id: 'k1', key: randomBytes(32) }])
let ground: Ground
let pool: Ground['database']['pool']

beforeAll(async () => {
  ground = await layGround()
  pool = ground.database.pool
})

afterAll(() => ground.stop())

type Reply = { status?: number; body: Record<string, unknown>; headers?: Record<string, string> }

/** A token service that gives a new token each time, unless the test says otherwise. */
async function startAuth(reply: (seen: Seen, count: number) => Reply | undefined = () => undefined) {
  let count = 0
  const peer = await startPeer((seen, response, socket) => {
    count++
    const own = reply(seen, count)
    const given = { code: 0, msg: 'ok', expire: 7_200, ...tokenFor(seen.url, count) }
    json(own?.status ?? 200, own?.body ?? given, own?.headers)(seen, response, socket)
  })
  const asked = () => peer.seen.map(({ url }) => url.replace('/open-apis/auth/v3/', ''))
  return { ...peer, asked }
}

function tokenFor(url: string, count: number): Record<string, unknown> {
  if (url.endsWith('resend')) return {}
  return { [url.includes('app_access_token') ? 'app_access_token' : 'tenant_access_token']: `t-${count}` }
}

interface World {
  now?: () => number
  appType?: TokenApp['appType']
  appId?: string
  onError?: (error: unknown) => void
}

/** What one process has; two of them with the same app share the database only. */
function processOf(baseUrl: string, { now, appType = 'custom', appId = `cli_${randomUUID()}`, onError }: World = {}) {
  const app: TokenApp = { appId, appSecret: secret, appType, baseUrl }
  const store = createTokenStore(pool, sealer)
  const tokens = createTokens({
    apps: [app],
    store,
    timeoutMs: 5_000,
    random: () => 0,
    ...(now ? { now } : {}),
    ...(onError ? { onError } : {}),
  })
  onTestFinished(() => tokens.stop())
  return { tokens, store, appId, get: (tenantKey = 'tk') => tokens.tenantToken(appId, tenantKey) }
}

function clock(start = Date.parse('2026-01-01T00:00:00Z')) {
  let ms = start
  return { now: () => ms, pass: (by: number) => (ms += by) }
}

test('asks once for a custom app, however many ask at once', async () => {
  const auth = await startAuth()
  const one = processOf(`${auth.url}/some/path/`)
  const answers = await Promise.all(Array.from({ length: 20 }, () => one.get()))
  expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(new Set(['{"kind":"token","token":"t-1"}']))
  expect(auth.seen.map(({ url }) => url)).toEqual(['/some/path/open-apis/auth/v3/tenant_access_token/internal'])
  expect(JSON.parse(auth.seen[0]?.body ?? '')).toEqual({ app_id: one.appId, app_secret: secret })
})

test('asks once for two processes that ask at once', async () => {
  const auth = await startAuth()
  const one = processOf(auth.url)
  const two = processOf(auth.url, { appId: one.appId })
  const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => (index % 2 ? one : two).get()))
  expect(answers.every((answer) => answer.kind === 'token' && answer.token === 't-1')).toBe(true)
  expect(auth.seen).toHaveLength(1)
})

test('keeps tenants apart', async () => {
  const auth = await startAuth()
  const one = processOf(auth.url)
  const [first, second] = [await one.get('tk_1'), await one.get('tk_2')]
  expect(first).not.toEqual(second)
})

test('takes over when a process died while it fetched', async () => {
  const auth = await startAuth()
  const time = clock()
  const one = processOf(auth.url, { now: time.now })
  await one.store.lease({ appId: one.appId, tenantKey: 'tk' }, time.now(), time.now() + 15_000)
  const answer = one.get()
  time.pass(15_000)
  expect(await answer).toEqual({ kind: 'token', token: 't-1' })
})

test('takes over from a process that died while it fetched and whose clock was ten minutes ahead', async () => {
  const auth = await startAuth()
  const time = clock()
  const one = processOf(auth.url, { now: time.now })
  const ahead = time.now() + 10 * minute
  await one.store.lease({ appId: one.appId, tenantKey: 'tk' }, ahead, ahead + 15_000)
  expect(await one.get()).toEqual({ kind: 'token', token: 't-1' })
})

test('asks again when the clock was set back after a refusal', async () => {
  const auth = await startAuth((_seen, count) => (count === 1 ? { status: 500, body: { code: 1 } } : undefined))
  const time = clock()
  const one = processOf(auth.url, { now: time.now })
  expect(await one.get()).toMatchObject({ kind: 'unavailable' })
  time.pass(-10 * minute)
  expect(await one.get()).toMatchObject({ kind: 'token' })
})

test('store app: asks for a ticket though a clock that was ten minutes ahead asked for one', async () => {
  const auth = await startAuth()
  const time = clock()
  const one = processOf(auth.url, { appType: 'store', now: time.now })
  await one.get()
  time.pass(-10 * minute)
  for (const _twice of [1, 2]) {
    expect(await one.get()).toMatchObject({ kind: 'unavailable' })
    time.pass(6_000)
  }
  expect(auth.asked()).toEqual(['app_ticket/resend', 'app_ticket/resend'])
})

test('store app: tries a refused ticket again when the clock was set back', async () => {
  const auth = await startAuth((_seen, count) => (count === 1 ? { status: 400, body: { code: 10012 } } : undefined))
  const time = clock()
  const one = processOf(auth.url, { appType: 'store', now: time.now })
  await one.tokens.ticketArrived(one.appId, 'ticket', '1767225600.5')
  expect(await one.get()).toMatchObject({ kind: 'unavailable', code: 10012 })
  time.pass(-10 * minute)
  expect(await one.get()).toMatchObject({ kind: 'token' })
})

test('refreshes when less than 25 minutes remain, and uses the old token until the new one is there', async () => {
  const auth = await startAuth()
  const time = clock()
  const one = processOf(auth.url, { now: time.now })
  expect(await one.get()).toMatchObject({ token: 't-1' })
  time.pass(94 * minute)
  expect(await one.get()).toMatchObject({ token: 't-1' })
  expect(auth.seen).toHaveLength(1)
  time.pass(2 * minute)
  const crowd = await Promise.all(Array.from({ length: 10 }, () => one.get()))
  expect(crowd.every((answer) => answer.kind === 'token' && answer.token === 't-1')).toBe(true)
  await eventually(() => one.get()).toMatchObject({ token: 't-2' })
  expect(auth.seen).toHaveLength(2)
})

test('uses the old token while no new one is given, and asks ever less often', async () => {
  const auth = await startAuth((_seen, count) => (count === 1 ? undefined : { status: 500, body: { code: 1 } }))
  const time = clock()
  const one = processOf(auth.url, { now: time.now })
  await one.get()
  time.pass(100 * minute)
  for (let calls = 0; calls < 5; calls++) expect(await one.get()).toMatchObject({ token: 't-1' })
  await eventually(() => auth.seen).toHaveLength(2)
  await eventually(() => leased(one.appId)).toBe(false)
  expect(await one.get()).toMatchObject({ token: 't-1' })
  expect(auth.seen).toHaveLength(2)
  time.pass(21 * minute)
  expect(await one.get()).toMatchObject({ kind: 'unavailable', class: 'later', code: 1 })
})

test('believes the life that Feishu names, however short', async () => {
  const auth = await startAuth((_seen, count) => ({ body: { code: 0, expire: 60, tenant_access_token: `s-${count}` } }))
  const time = clock()
  const one = processOf(auth.url, { now: time.now })
  for (let calls = 0; calls < 5; calls++) expect(await one.get()).toMatchObject({ token: 's-1' })
  expect(auth.seen).toHaveLength(1)
  time.pass(minute)
  expect(await one.get()).toMatchObject({ token: 's-2' })
})

test('takes tokens of any length, and keeps them sealed', async () => {
  const token = `ey${'J'.repeat(8_000)}`
  const auth = await startAuth(() => ({ body: { code: 0, expire: 7_200, tenant_access_token: token } }))
  const one = processOf(auth.url)
  expect(await one.get()).toEqual({ kind: 'token', token })
  expect(await processOf(auth.url, { appId: one.appId }).get()).toEqual({ kind: 'token', token })
  const { rows } = await pool.query<{ token: Buffer }>('SELECT token FROM feishu_tokens WHERE app_id = $1', [one.appId])
  expect(rows[0]?.token.includes('JJJJ')).toBe(false)
})

test('fetches anew what no key opens', async () => {
  const auth = await startAuth()
  const one = processOf(auth.url)
  await one.get()
  await pool.query(`UPDATE feishu_tokens SET token = '\\x0104' WHERE app_id = $1`, [one.appId])
  expect(await processOf(auth.url, { appId: one.appId }).get()).toMatchObject({ token: 't-2' })
})

test('forgets a refused token once, for all processes, and not the one that took its place', async () => {
  const auth = await startAuth()
  const one = processOf(auth.url)
  const two = processOf(auth.url, { appId: one.appId })
  await Promise.all([one.get(), two.get()])
  await Promise.all(Array.from({ length: 5 }, () => one.tokens.evict(one.appId, 'tk', 't-1')))
  expect(await one.get()).toMatchObject({ token: 't-2' })
  await two.tokens.evict(one.appId, 'tk', 't-1')
  await one.tokens.evict(one.appId, 'tk', 't-1')
  expect([await one.get(), await two.get()]).toEqual(Array(2).fill({ kind: 'token', token: 't-2' }))
  expect(auth.seen).toHaveLength(2)
})

test.each([
  [10015, 400, 'app'],
  [10014, 200, 'app'],
  [99991401, 403, 'app'],
  [99991403, 429, 'app'],
  [20009, 400, 'tenant'],
  [99991662, 200, 'tenant'],
  [99991673, 400, 'tenant'],
  [10005, 400, 'tenant'],
  [10013, 400, 'later'],
  [424242, 400, 'later'],
])('settles code %i with HTTP %i for the %s', async (code, status, kind) => {
  const auth = await startAuth(() => ({ status, body: { code, msg: secret } }))
  const answer = await processOf(auth.url).get()
  expect(answer).toMatchObject({ kind: 'unavailable', class: kind, code })
  expect(JSON.stringify(answer)).not.toContain(secret)
})

test('does not ask again before it may', async () => {
  const auth = await startAuth(() => ({
    status: 429,
    body: { code: 99991400 },
    headers: { 'x-ogw-ratelimit-reset': '9' },
  }))
  const time = clock()
  const one = processOf(auth.url, { now: time.now })
  expect(await one.get()).toMatchObject({ kind: 'unavailable', class: 'later', retryInMs: 9_000 })
  time.pass(8_999)
  await one.get()
  expect(auth.seen).toHaveLength(1)
  time.pass(1)
  await one.get()
  expect(auth.seen).toHaveLength(2)
})

test.each([
  ['no token', { code: 0, expire: 7_200 }],
  ['no life', { code: 0, tenant_access_token: 't-1' }],
  ['a token that breaks a header', { code: 0, expire: 7_200, tenant_access_token: 't\r\nx: y' }],
])('takes an answer with %s for none', async (_name, body) => {
  const auth = await startAuth(() => ({ body }))
  expect(await processOf(auth.url).get()).toMatchObject({ kind: 'unavailable', class: 'later' })
})

test('says so when nobody answers', async () => {
  expect(await processOf('http://127.0.0.1:1').get()).toMatchObject({ kind: 'unavailable', class: 'later', code: null })
})

test('knows its apps only', async () => {
  const one = processOf('http://127.0.0.1:1')
  expect(await one.tokens.tenantToken('cli_other', 'tk')).toMatchObject({ kind: 'unavailable', class: 'app' })
  await expect(one.tokens.evict('cli_other', 'tk', 't')).resolves.toBeUndefined()
})

test('store app: asks for a ticket at most once in two minutes, and goes on when it comes', async () => {
  const auth = await startAuth()
  const time = clock()
  const one = processOf(auth.url, { appType: 'store', now: time.now })
  const two = processOf(auth.url, { appType: 'store', now: time.now, appId: one.appId })
  for (let seconds = 0; seconds < 119; seconds += 7) {
    expect(await one.get()).toMatchObject({ kind: 'unavailable', class: 'later', retryInMs: 5_000 })
    expect(await two.get('tk_2')).toMatchObject({ kind: 'unavailable' })
    time.pass(7_000)
  }
  expect(auth.asked()).toEqual(['app_ticket/resend'])
  time.pass(2_000)
  await one.get()
  expect(auth.asked()).toEqual(['app_ticket/resend', 'app_ticket/resend'])
  await two.tokens.ticketArrived(one.appId, 'ticket-1', '1767225600.5521')
  expect(await two.get()).toMatchObject({ kind: 'token' })
  time.pass(5_000)
  expect(await one.get('tk_2')).toMatchObject({ kind: 'token' })
  expect(auth.asked().slice(2)).toEqual(['app_access_token', 'tenant_access_token', 'tenant_access_token'])
  expect(JSON.parse(auth.seen[2]?.body ?? '')).toEqual({
    app_id: one.appId,
    app_secret: secret,
    app_ticket: 'ticket-1',
  })
  expect(JSON.parse(auth.seen[3]?.body ?? '')).toEqual({ app_access_token: 't-3', tenant_key: 'tk' })
})

test('store app: asks for another ticket when one is refused, and does not try the same again', async () => {
  const auth = await startAuth((seen) =>
    seen.body.includes('old') ? { status: 400, body: { code: 10012 } } : undefined,
  )
  const time = clock()
  const one = processOf(auth.url, { appType: 'store', now: time.now })
  await one.tokens.ticketArrived(one.appId, 'old', '1767225600.5')
  for (let tries = 0; tries < 4; tries++) {
    expect(await one.get()).toMatchObject({ kind: 'unavailable', class: 'later', code: 10012 })
    time.pass(6_000)
  }
  expect(auth.asked()).toEqual(['app_access_token', 'app_ticket/resend'])
  await one.tokens.ticketArrived(one.appId, 'new', '1767225700.5')
  await one.tokens.ticketArrived(one.appId, 'old', '1767225600.5')
  expect(await one.get()).toMatchObject({ kind: 'token' })
})

test('store app: gets a new app token, once, when it is refused', async () => {
  const refusals = vi.fn(() => ({ status: 400, body: { code: 99991664 } }))
  const auth = await startAuth((seen, count) =>
    seen.url.endsWith('v3/tenant_access_token') && (count <= 2 || count > 5) ? refusals() : undefined,
  )
  const one = processOf(auth.url, { appType: 'store' })
  await one.tokens.ticketArrived(one.appId, 'ticket', '1')
  expect(await one.get()).toMatchObject({ kind: 'token', token: 't-4' })
  expect(auth.asked()).toEqual(['app_access_token', 'tenant_access_token', 'app_access_token', 'tenant_access_token'])
  await one.tokens.evict(one.appId, 'tk', 't-4', { alsoAppToken: true })
  expect(await one.get()).toMatchObject({ kind: 'unavailable', code: 99991664 })
  expect(refusals).toHaveBeenCalledTimes(3)
})

test('reports an error of the store while the old token is still good', async () => {
  const auth = await startAuth()
  const time = clock()
  const onError = vi.fn()
  const one = processOf(auth.url, { now: time.now, onError })
  await one.get()
  time.pass(100 * minute)
  const query = vi.spyOn(pool, 'query').mockImplementation(() => Promise.reject(new Error('database away')))
  expect(await one.get()).toMatchObject({ token: 't-1' })
  await eventually(() => onError.mock.calls).toHaveLength(1)
  query.mockRestore()
})

test('gets tokens from the sandbox Feishu for both kinds of apps', async () => {
  const shared = { appSecret: secret, encryptKey: 'encrypt-key', verificationToken: 'token' }
  const custom = { ...shared, appId: `cli_${randomUUID()}`, appType: 'custom' as const }
  const store = { ...shared, appId: `cli_${randomUUID()}`, appType: 'store' as const }
  const tenants = [{ tenantKey: 'tk', appIds: [custom.appId, store.appId] }]
  const feishu = await startSandboxFeishu({ apps: [custom, store], tenants, retryDelaysMs: [] })
  onTestFinished(() => feishu.stop())
  expect(await processOf(feishu.url, { appId: custom.appId }).get()).toMatchObject({ kind: 'token' })
  const one = processOf(feishu.url, { appId: store.appId, appType: 'store' })
  expect(await one.get()).toMatchObject({ kind: 'unavailable', class: 'later', code: null })
  feishu.sendAppTicket(store.appId, 'ticket-of-the-sandbox')
  await one.tokens.ticketArrived(store.appId, 'ticket-of-the-sandbox', '1767225600.1')
  expect(await one.get()).toMatchObject({ kind: 'token' })
})

async function leased(appId: string): Promise<boolean> {
  const text = 'SELECT 1 FROM feishu_tokens WHERE app_id = $1 AND refreshing_until IS NOT NULL'
  return ((await pool.query(text, [appId])).rowCount ?? 0) > 0
}
