import { inspect as utilInspect } from 'node:util'
import { expect, onTestFinished, test, vi } from 'vitest'
import { apis, type FeishuApi, feishuApis } from '../../src/flow/to-feishu/apis.js'
import type { FeishuRequest } from '../../src/flow/to-feishu/client.js'
import { settle } from '../../src/flow/to-feishu/outcomes.js'
import { createTokens } from '../../src/flow/to-feishu/tokens.js'
import type { TokenStore } from '../../src/flow/to-feishu/tokens-store.js'
import { startSandboxFeishu } from '../../src/sandbox/feishu/server.js'
import { ask, callWith, canary, clientOf, type Handler, json, ok, progress, startPeer } from './feishu-peer.js'

test.each(feishuApis)('calls %s with the method and path of the contract', async (api) => {
  const peer = await startPeer(ok)
  const facts = apis[api]
  const request: FeishuRequest = {
    api,
    ...(facts.method === 'GET' || facts.method === 'DELETE' ? {} : { body: { some: '字段' } }),
    ...(facts.method === 'GET' ? { query: { page_size: 100, page_token: 'a b&c' } } : {}),
    ...(facts.pathParameter ? { path: { id: '7400000000000000303' } } : {}),
  }
  const reply = await clientOf(`${peer.url}/feishu/base/`).call(request, callWith())
  expect(reply).toMatchObject({ kind: 'answer', httpStatus: 200, code: 0 })
  const query = facts.method === 'GET' ? '?page_size=100&page_token=a+b%26c' : ''
  const path = facts.path.replace(':tripartite_agreement_id', '7400000000000000303')
  expect(peer.seen).toEqual([expect.objectContaining({ method: facts.method, url: `/feishu/base${path}${query}` })])
  expect(peer.seen[0]?.body).toBe(request.body ? JSON.stringify(request.body) : '')
})

test('says who calls, with the token of the call and nothing of its own', async () => {
  const { peer } = await ask(ok)
  const headers = peer.seen[0]?.headers ?? {}
  expect(headers.authorization).toBe('Bearer t-one')
  expect(headers['content-type']).toBe('application/json; charset=utf-8')
  expect(headers['user-agent']).toContain('bgc-bridge')
  expect(Object.keys(headers)).not.toContain('bgc-call')
  expect(peer.seen).toHaveLength(1)
})

test('never lends the token of one call to another', async () => {
  const peer = await startPeer(ok)
  const client = clientOf(peer.url)
  const tokens = Array.from({ length: 40 }, (_, index) => `t-${index}`)
  await Promise.all(
    tokens.map((token, index) =>
      client.call({ ...progress, body: { ...progress.body, stage_id: `st-${index}` } }, callWith({ token })),
    ),
  )
  const pairs = peer.seen.map(({ headers, body }) => `${headers.authorization} ${JSON.parse(body).stage_id}`)
  expect(new Set(pairs)).toEqual(new Set(tokens.map((token, index) => `Bearer ${token} st-${index}`)))
})

test.each(['1/../../x?y=1', '', '12a', '1'.repeat(33), '../cancel', '１２'])(
  'refuses %j as an id in a path',
  async (id) => {
    const peer = await startPeer(ok)
    const calling = clientOf(peer.url).call(
      { api: 'tripartite_agreements.update', body: { state: 2, modify_time: '1' }, path: { id } },
      callWith(),
    )
    await expect(calling).rejects.toThrow(
      `tripartite_agreements.update: expected an id of 1 to 32 digits in the path, got ${id.length} characters`,
    )
    expect(peer.seen).toEqual([])
  },
)

test('refuses a call that lacks its path', async () => {
  const calling = clientOf('http://127.0.0.1:1').call({ api: 'tripartite_agreements.delete' }, callWith())
  await expect(calling).rejects.toThrow(
    'tripartite_agreements.delete: expected an id of 1 to 32 digits in the path, got none',
  )
})

test('answers code, status, log id and reset, and none of Feishu’s words', async () => {
  const headers = { 'x-tt-logid': '20260101AB-1', 'x-ogw-ratelimit-reset': '1.5' }
  const { reply } = await ask(json(400, { code: 99991400, msg: `limit for ${canary}` }, headers))
  expect(reply).toEqual({ kind: 'answer', httpStatus: 400, code: 99991400, logId: '20260101AB-1', resetMs: 1500 })
})

test.each(['', 'soon', '-1', '0', 'Infinity', 'NaN'])('takes %j for no reset at all', async (reset) => {
  const { reply } = await ask(json(429, { code: 99991400 }, { 'x-ogw-ratelimit-reset': reset }))
  expect(reply).toEqual({ kind: 'answer', httpStatus: 429, code: 99991400 })
})

test('names the scopes that an app lacks, where they look like scopes', async () => {
  const permission_violations = [{ subject: 'hire:tripartite_agreement' }, { subject: `words ${canary}` }, 7]
  const { reply } = await ask(json(400, { code: 99991672, msg: canary, error: { permission_violations } }))
  expect(reply).toEqual({
    kind: 'answer',
    httpStatus: 400,
    code: 99991672,
    missingScopes: ['hire:tripartite_agreement'],
  })
})

test('gives the data of a read', async () => {
  const { reply } = await ask(json(200, { code: 0, data: { items: [{ id: '7' }] } }))
  expect(reply).toMatchObject({ kind: 'answer', data: { items: [{ id: '7' }] } })
})

const broken: Record<string, Handler> = {
  'a page of a gateway': (_seen, response) => response.writeHead(502).end('<html>bad gateway</html>'),
  'JSON without a code': json(502, { message: 'upstream' }),
  'a code that is a text': json(502, { code: '0' }),
}

test.each(Object.entries(broken))('calls %s lost, with its status', async (_name, handler) => {
  const { reply } = await ask(handler)
  expect(reply).toEqual({ kind: 'lost', httpStatus: 502, message: 'an answer that is not in Feishu’s form' })
})

test('lets no body, token or word of Feishu reach a log or an error', async () => {
  const warn = vi.fn()
  const handlers: Handler[] = [
    json(400, { code: 1002858, msg: `${canary} is closed`, error: { message: canary } }),
    json(500, { code: 1002001, msg: canary }),
    (_seen, response) => response.writeHead(200).end(`{"${canary}`),
    (_seen, _response, socket) => socket.resetAndDestroy(),
  ]
  const replies = await Promise.all(
    handlers.map(async (handler) => (await ask(handler, { log: { warn } }, { token: `t-${canary}` })).reply),
  )
  const badToken = clientOf('http://127.0.0.1:1', { log: { warn } }).call(progress, callWith({ token: `${canary}\n` }))
  const failure: unknown = await badToken.catch((error: unknown) => error)
  expect(inspect([replies, warn.mock.calls, failure])).not.toContain(canary)
})

test('knows the rate class of every API', () => {
  const slow = feishuApis.filter((api: FeishuApi) => apis[api].rate === 'slow')
  expect(slow.toSorted()).toEqual([
    'background_check_orders.batch_query',
    'tripartite_agreements.create',
    'tripartite_agreements.delete',
    'tripartite_agreements.list',
    'tripartite_agreements.update',
  ])
})

function inspect(value: unknown): string {
  return utilInspect(value, { depth: 20, showHidden: true, maxStringLength: null })
}

test('speaks with the sandbox Feishu, and its answers settle', async () => {
  const app = {
    appId: 'cli_demo0001',
    appSecret: 's',
    appType: 'custom' as const,
    encryptKey: 'e',
    verificationToken: 'v',
  }
  const feishu = await startSandboxFeishu({
    apps: [app],
    tenants: [{ tenantKey: 'tk', appIds: [app.appId] }],
    retryDelaysMs: [],
  })
  onTestFinished(() => feishu.stop())
  const { accountId } = feishu.createAccount({ appId: app.appId, tenantKey: 'tk', scope: 1 })
  const client = clientOf(feishu.url)
  const token = await customToken(feishu.url, app)
  const fields = { account_id: accountId, package_list: [{ id: 'pkg-1', name: '标准' }] }
  const settled = async (api: FeishuApi, body: Record<string, unknown>, wasAmbiguous = false) => {
    const reply = await client.call({ api, body }, callWith({ token }))
    const flags = { orderEndedHere: false, cancelKnown: false, tokenWasRefreshed: false }
    return settle({ api, reply, attempts: 1, wasAmbiguous, random: 0, ...flags })
  }
  expect(await settled('packages.create', fields)).toEqual({ kind: 'delivered', confirmed: true })
  expect(await settled('packages.create', fields)).toMatchObject({ kind: 'dead', class: 'vendor' })
  expect(await settled('cancel', { background_check_id: '1' })).toMatchObject({ kind: 'dead', class: 'feishu' })
  expect(await settled('update_progress', { background_check_id: '1' })).toMatchObject({ kind: 'dead', class: 'ours' })
  feishu.revokeTokens()
  expect(await settled('packages.batch_update', fields)).toMatchObject({ kind: 'refresh_token' })
})

async function customToken(url: string, { appId, appSecret }: { appId: string; appSecret: string }): Promise<string> {
  const tokens = createTokens({ apps: [{ appId, appSecret, appType: 'custom', baseUrl: url }], store: memoryStore() })
  onTestFinished(() => tokens.stop())
  const answer = await tokens.tenantToken(appId, 'tk')
  return answer.kind === 'token' ? answer.token : ''
}

function memoryStore(): TokenStore {
  const nothing = () => Promise.resolve()
  return {
    read: () => Promise.resolve(null),
    lease: () => Promise.resolve(true),
    save: nothing,
    release: nothing,
    evict: nothing,
    readTicket: () => Promise.resolve(null),
    saveTicket: nothing,
    mayAskForTicket: () => Promise.resolve(false),
  }
}
