import { afterEach, expect, test } from 'vitest'
import { runSandbox, type SandboxOptions } from '../../src/sandbox/index.js'
import { eventually, type Json, send, startReceiver, stopAll, stopLater, storeApp } from './support.js'

afterEach(stopAll)

async function run(options: SandboxOptions = {}) {
  const lines: string[] = []
  const sandbox = await stopLater(
    runSandbox({ feishuPort: 0, vendorPort: 0, paceMs: 'by_hand', ...options }, { write: (line) => lines.push(line) }),
  )
  const feishu = (method: string, path: string, body?: unknown) =>
    send(`${sandbox.feishu.url}/_sandbox${path}`, method, body)
  const vendor = (method: string, path: string, body?: unknown) =>
    send(`${sandbox.vendor.url}/_sandbox${path}`, method, body)
  return { sandbox, lines, feishu, vendor }
}
const inTenant = { appId: 'cli_sandbox0000001', tenantKey: 'tk_sandbox_01' }

test('prints the environment that points the service at it', async () => {
  const { lines, sandbox } = await run({ appType: 'store' })
  const exports = lines.filter((line) => line.startsWith('export ')).map((line) => line.slice(7).split('='))
  expect(Object.fromEntries(exports)).toEqual({
    FEISHU_BASE_URL: sandbox.feishu.url,
    FEISHU_APP_ID: inTenant.appId,
    FEISHU_APP_SECRET: expect.any(String) as string,
    FEISHU_APP_TYPE: 'store',
    FEISHU_ENCRYPT_KEY: expect.any(String) as string,
    FEISHU_VERIFICATION_TOKEN: expect.any(String) as string,
    VENDOR_BASE_URL: sandbox.vendor.url,
    VENDOR_API_KEY: expect.any(String) as string,
  })
})

test('says which port is taken, and leaves nothing running', async () => {
  const { sandbox } = await run()
  await expect(run({ vendorPort: sandbox.vendor.port })).rejects.toThrow(
    `port ${sandbox.vendor.port} on 127.0.0.1 is taken`,
  )
})

test('leads a customer through a check over HTTP', async () => {
  const { feishu } = await run()
  const receiver = await startReceiver({ ...storeApp, encryptKey: 'sandbox-encrypt-key' })
  await feishu('PUT', '/event-url', { appId: inTenant.appId, url: receiver.url })
  const account = await feishu('POST', '/accounts', { ...inTenant, customFields: [{ key: 'org', value: '1' }] })
  const { accountId } = account.json as { accountId: string }
  const order = await feishu('POST', '/orders', { ...inTenant, accountId, candidate: { name: 'Lin' } })
  const { backgroundCheckId, event } = order.json as { backgroundCheckId: string; event: { eventId: string } }
  await eventually(() => receiver.received.length).toBe(2)
  const again = await feishu('POST', `/events/${event.eventId}/redeliver`, { copies: 3 })
  expect(again.json.attempts).toHaveLength(3)
  expect((await feishu('GET', `/orders/${backgroundCheckId}`)).json).toMatchObject({
    status: 'arranged',
    candidate: { name: 'Lin' },
  })
  await feishu('POST', `/orders/${backgroundCheckId}/cancel`, { reason: 'withdrew' })
  expect((await feishu('GET', `/orders/${backgroundCheckId}`)).json.status).toBe('terminated')
  expect((await feishu('GET', '/events')).json.events).toHaveLength(3)
  expect((await feishu('GET', '/promises')).json).toEqual({ violations: [], worstWindows: [] })
})

test('shows its journal, faults, switches and tokens', async () => {
  const { sandbox, feishu } = await run()
  const planned = { match: { api: 'update_progress' }, action: { kind: 'reset', apply: true }, times: 2 }
  expect((await feishu('POST', '/faults', planned)).json).toEqual({ id: 'fault-1' })
  expect((await feishu('GET', '/faults')).json.faults).toMatchObject([planned])
  await feishu('DELETE', '/faults')
  expect((await feishu('GET', '/faults')).json.faults).toEqual([])
  expect((await feishu('PATCH', '/switches', { cancelEcho: true })).json.cancelEcho).toBe(true)
  await send(`${sandbox.feishu.url}/open-apis/auth/v3/app_ticket/resend`, 'POST', {})
  const calls = (await feishu('GET', '/calls?api=auth.app_ticket.resend')).json.calls as Json[]
  expect(calls).toMatchObject([{ code: 10003, applied: false }])
  expect((await feishu('POST', '/tokens/revoke', {})).json).toEqual({ revoked: 0 })
})

test('leads the vendor over HTTP', async () => {
  const { sandbox, vendor } = await run()
  const id = '7400000000000000202'
  const placed = { background_check_id: id, account_id: '1', tenant_key: 'tk', candidate: { name: 'Lin' } }
  const headers = { authorization: 'Bearer sandbox-vendor-key', 'idempotency-key': id }
  await send(`${sandbox.vendor.url}/orders`, 'POST', placed, headers)
  expect(
    (await vendor('POST', `/orders/${id}/stages`, { name: 'a', reports: [{ name: 'a.pdf' }] })).json,
  ).toMatchObject({ id: 'st-1' })
  expect((await vendor('POST', '/orders/V-1/advance')).json).toMatchObject({ stepped: true })
  expect((await vendor('POST', '/orders/V-1/complete', { result: '绿灯' })).json).toMatchObject({ result: '绿灯' })
  expect((await vendor('PATCH', '/orders/V-1', { status: 'pending' })).json).toMatchObject({ status: 'pending' })
  expect((await vendor('POST', '/orders/V-1/stop')).json).toMatchObject({ status: 'canceled' })
  expect((await vendor('GET', '/calls?operation=orders.create')).json.calls).toHaveLength(1)
  await vendor('PUT', '/capabilities', { none: true })
  expect(sandbox.vendor.capabilities()).toBeUndefined()
  await vendor('POST', '/faults', { action: { kind: 'server_error' } })
  expect(sandbox.vendor.faults()).toHaveLength(1)
})

test('checks by itself, step by step, when it has a pace', async () => {
  const { sandbox } = await run({ paceMs: 1 })
  const id = '7400000000000000202'
  const placed = { background_check_id: id, account_id: '1', tenant_key: 'tk', candidate: {} }
  const headers = { authorization: 'Bearer sandbox-vendor-key', 'idempotency-key': id }
  await send(`${sandbox.vendor.url}/orders`, 'POST', placed, headers)
  await eventually(() => sandbox.vendor.order(id).status).toBe('completed')
  expect(sandbox.vendor.order(id).stages).toHaveLength(3)
})

test('lists what can be asked, and explains what cannot', async () => {
  const { feishu, vendor } = await run()
  expect((await feishu('GET', '')).json.routes).toContainEqual({
    method: 'PATCH',
    path: '/_sandbox/switches',
    does: 'changes switches',
    example: { rateLimitStatus: 400, cancelEcho: true },
  })
  expect((await vendor('GET', '')).json.routes).not.toHaveLength(0)
  const problem = async (asking: Promise<{ status: number; json: Json; headers: Headers }>) => {
    const { status, json, headers } = await asking
    expect(headers.get('content-type')).toBe('application/problem+json')
    return [status, json.detail]
  }
  expect(await problem(feishu('GET', '/nothing'))).toEqual([404, expect.stringMatching(/GET \/_sandbox lists/)])
  expect(await problem(feishu('GET', '/orders/1'))).toEqual([404, 'no order 1 in this sandbox'])
  expect(await problem(feishu('POST', '/orders', 'nonsense'))).toEqual([
    400,
    expect.stringMatching(/expected a JSON object/),
  ])
  expect(await problem(feishu('POST', '/accounts', { appId: 1 }))).toEqual([
    400,
    expect.stringMatching(/appId: .*it came as 1/),
  ])
  expect(await problem(feishu('PATCH', '/switches', { cancelEcho: 'yes' }))).toEqual([
    400,
    expect.stringMatching(/may be false, true/),
  ])
  expect(await problem(vendor('POST', '/orders/V-9/advance'))).toEqual([404, 'no order V-9 at this vendor'])
})
