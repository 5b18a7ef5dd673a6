import { afterEach, expect, test } from 'vitest'
import {
  clientOf,
  customApp,
  customToken,
  eventually,
  type Json,
  placeOrder,
  progressPath,
  send,
  stageBody,
  startFeishu,
  startReceiver,
  stopAll,
  storeApp,
  storeToken,
  tenantKey,
} from './support.js'

afterEach(stopAll)

const custom = { app_id: customApp.appId, app_secret: customApp.appSecret }
const store = { app_id: storeApp.appId, app_secret: storeApp.appSecret }
const auth = '/open-apis/auth/v3'

test('gives the same token while it lives long enough, at the top level of the answer', async () => {
  const feishu = await startFeishu()
  const one = await send(`${feishu.url}${auth}/tenant_access_token/internal`, 'POST', custom)
  const two = await send(`${feishu.url}${auth}/tenant_access_token/internal`, 'POST', custom)
  expect(one.json).toMatchObject({ code: 0, tenant_access_token: expect.stringMatching(/^t-/) as string })
  expect(two.json.tenant_access_token).toBe(one.json.tenant_access_token)
  expect(one.json.expire).toBeGreaterThan(7000)
  expect(one.json.expire).toBeLessThanOrEqual(7200)
})

test('gives a new token when less than 30 minutes remain, and the old one stays valid', async () => {
  const feishu = await startFeishu({ tokenLifeSeconds: 1799 })
  const id = placeOrder(feishu)
  const tokens = [await customToken(feishu), await customToken(feishu)]
  expect(new Set(tokens).size).toBe(2)
  for (const [index, token] of tokens.entries()) {
    const client = await clientOf(feishu, token)
    expect((await client('POST', progressPath, stageBody(id, index + 1))).code).toBe(0)
  }
})

test('gives both tokens to a custom app that asks for its app token', async () => {
  const feishu = await startFeishu()
  const answer = await send(`${feishu.url}${auth}/app_access_token/internal`, 'POST', custom)
  expect(answer.json).toMatchObject({
    app_access_token: expect.any(String) as string,
    tenant_access_token: await customToken(feishu),
  })
})

test('gives a store app a token for each tenant, in two steps and with a ticket', async () => {
  const feishu = await startFeishu()
  const one = await storeToken(feishu, tenantKey)
  const two = await storeToken(feishu, 'tk_two')
  expect(one).not.toBe(two)
  expect(one).toMatch(/^t-/)
})

test.each<[string, string, Json, number]>([
  ['a wrong secret', 'tenant_access_token/internal', { ...custom, app_secret: 'wrong' }, 10015],
  ['an app that does not exist', 'tenant_access_token/internal', { ...custom, app_id: 'cli_none' }, 10003],
  ['a missing field', 'tenant_access_token/internal', { app_id: customApp.appId }, 10003],
  ['a store app at the custom endpoint', 'tenant_access_token/internal', store, 10003],
  ['a custom app at the store endpoint', 'app_access_token', { ...custom, app_ticket: 'x' }, 10003],
  ['a ticket that was never pushed', 'app_access_token', { ...store, app_ticket: 'x' }, 10012],
  ['a dead app token', 'tenant_access_token', { app_access_token: 'a-none', tenant_key: tenantKey }, 99991664],
  ['a resend for a custom app', 'app_ticket/resend', custom, 10016],
])('refuses %s', async (_, path, body, code) => {
  const feishu = await startFeishu()
  expect((await send(`${feishu.url}${auth}/${path}`, 'POST', body)).code).toBe(code)
})

test('pushes a ticket that was asked for, and that ticket works', async () => {
  const feishu = await startFeishu({ ticketDelayMs: 5 })
  const receiver = await startReceiver(storeApp)
  feishu.setEventUrl(storeApp.appId, receiver.url)
  expect((await send(`${feishu.url}${auth}/app_ticket/resend`, 'POST', store)).json).toEqual({
    code: 0,
    msg: 'success',
  })
  await eventually(() => receiver.received.length).toBe(1)
  const pushed = receiver.received[0]?.content as { type: string; ts: string; uuid: string; event: Json }
  expect(pushed).toMatchObject({
    type: 'event_callback',
    token: storeApp.verificationToken,
    event: { type: 'app_ticket' },
  })
  expect(pushed.ts).toMatch(/^\d{10}\.\d{4}$/)
  const answer = await send(`${feishu.url}${auth}/app_access_token`, 'POST', {
    ...store,
    app_ticket: pushed.event.app_ticket,
  })
  expect(answer.code).toBe(0)
})

test('takes an old ticket or refuses it, as the switch says', async () => {
  const feishu = await startFeishu()
  feishu.sendAppTicket(storeApp.appId, 'ticket-1')
  feishu.sendAppTicket(storeApp.appId, 'ticket-2')
  const ask = () => send(`${feishu.url}${auth}/app_access_token`, 'POST', { ...store, app_ticket: 'ticket-1' })
  expect((await ask()).code).toBe(0)
  feishu.setSwitches({ oldAppTickets: 'refused' })
  expect((await ask()).code).toBe(10012)
})

test('answers calls by what became of the tenant', async () => {
  const feishu = await startFeishu()
  const token = await storeToken(feishu, 'tk_two')
  const client = await clientOf(feishu, token)
  const read = async () => (await client('GET', 'background_check_orders')).code
  const life = (lifeCycle: Parameters<typeof feishu.sendLifeCycle>[2]) =>
    feishu.sendLifeCycle(storeApp.appId, 'tk_two', lifeCycle)
  expect(await read()).toBe(0)
  life({ type: 'app_status_change', status: 'stop_by_tenant' })
  expect(await read()).toBe(99991662)
  life({ type: 'app_status_change', status: 'stop_by_platform' })
  expect(await read()).toBe(99991673)
  life({ type: 'app_status_change', status: 'start_by_tenant' })
  expect(await read()).toBe(0)
  const event = life({ type: 'app_uninstalled' })
  expect(event.content).toMatchObject({
    type: 'event_callback',
    event: { type: 'app_uninstalled', tenant_key: 'tk_two' },
  })
  expect(await read()).toBe(20009)
})

test.each([
  ['no token', '', 99991661],
  ['a token that is not one', 'Bearer nonsense', 99991671],
  ['a user token', 'Bearer u-123', 99991668],
  ['a tenant token that does not exist', 'Bearer t-123', 99991663],
])('refuses calls with %s', async (_, authorization, code) => {
  const feishu = await startFeishu()
  const headers = authorization === '' ? {} : { authorization }
  const answer = await send(`${feishu.url}/open-apis/hire/v1/background_check_orders`, 'GET', undefined, headers)
  expect(answer.code).toBe(code)
  expect(answer.json.error).toEqual({ log_id: answer.headers.get('x-tt-logid') })
})

test('revokes tokens before their time', async () => {
  const feishu = await startFeishu()
  const client = await clientOf(feishu)
  const before = await customToken(feishu)
  expect(feishu.revokeTokens({ appId: customApp.appId })).toBe(1)
  expect((await client('GET', 'background_check_orders')).code).toBe(99991663)
  expect(await customToken(feishu)).not.toBe(before)
})

test('keeps a custom app in one tenant', async () => {
  const feishu = await startFeishu()
  expect(() => feishu.addTenant({ tenantKey: 'tk_three', appIds: [customApp.appId] })).toThrow(/custom app/)
})

test('never notes a secret in its journal', async () => {
  const feishu = await startFeishu()
  await customToken(feishu)
  await storeToken(feishu, tenantKey)
  expect(JSON.stringify(feishu.calls())).not.toMatch(/secret|ticket_|[at]-[\w-]{20}/)
})
