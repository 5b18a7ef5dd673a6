import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { runSandbox } from '../../src/sandbox/index.js'
import { startControl, withBody } from '../../src/sandbox/support/control.js'
import { startHttp } from '../../src/sandbox/support/http.js'
import { NotThere, Refused } from '../../src/sandbox/support/refusals.js'
import { send, stopAll, stopLater } from './support.js'

afterEach(stopAll)

const inTenant = { appId: 'cli_sandbox0000001', tenantKey: 'tk_sandbox_01' }
const checkId = '7400000000000000202'

/** Answers `[status, detail]`. */
async function refusal(url: string, method: string, body?: unknown) {
  const { status, json, headers } = await send(url, method, body)
  expect(headers.get('content-type')).toBe('application/problem+json')
  expect(json.status).toBe(status)
  return [status, json.detail]
}

async function run() {
  const quiet = { write: () => undefined }
  const { feishu, vendor } = await stopLater(runSandbox({ feishuPort: 0, vendorPort: 0, paceMs: 'by_hand' }, quiet))
  const placed = { background_check_id: checkId, account_id: '1', tenant_key: 'tk', candidate: {} }
  const headers = { authorization: 'Bearer sandbox-vendor-key', 'idempotency-key': checkId }
  await send(`${vendor.url}/orders`, 'POST', placed, headers)
  return {
    vendor,
    feishuRefuses: (method: string, path: string, body?: unknown) =>
      refusal(`${feishu.url}/_sandbox${path}`, method, body),
    vendorRefuses: (method: string, path: string, body?: unknown) =>
      refusal(`${vendor.url}/_sandbox${path}`, method, body),
    patchOrder: (body: unknown) => send(`${vendor.url}/_sandbox/orders/${checkId}`, 'PATCH', body),
    feishu,
  }
}

describe('what a control route throws', () => {
  const thrown = {
    'not-there': () => new NotThere('there is none'),
    refused: () => new Refused('no way as things are'),
    mistake: () => new TypeError('no method of undefined'),
  }

  async function ask(path: string, body?: unknown) {
    const routes = Object.entries(thrown).map(([name, error]) => ({
      method: 'POST' as const,
      path: `/${name}`,
      does: 'fails',
      run: () => Promise.reject(error()),
    }))
    const strict = withBody(z.strictObject({ count: z.int() }), () => undefined)
    const control = startControl([...routes, { method: 'POST', path: '/strict/:id', does: 'checks', run: strict }])
    const server = await stopLater(startHttp((incoming) => control.handle(incoming), { host: '127.0.0.1', port: 0 }))
    return refusal(`${server.url}/_sandbox${path}`, 'POST', body)
  }

  test('is 404 for what is not there, and 400 for what is refused, whatever the words', async () => {
    expect(await ask('/not-there')).toEqual([404, 'there is none'])
    expect(await ask('/refused')).toEqual([400, 'no way as things are'])
  })

  test('is 500 with its message for a mistake of the sandbox, even one that begins with "no "', async () => {
    expect(await ask('/mistake')).toEqual([500, 'no method of undefined'])
  })

  test('is 400 for a body or a path that is not in form', async () => {
    expect(await ask('/strict/1', { count: 'x' })).toEqual([400, expect.stringMatching(/^count: .*it came as "x"$/)])
    expect(await ask('/strict/1', '[]')).toEqual([400, expect.stringMatching(/expected a JSON object/)])
    expect(await ask('/strict/%zz', { count: 1 })).toEqual([400, expect.stringMatching(/^the path: .*%zz$/)])
  })
})

describe('the sandbox Feishu', () => {
  test('answers 404 for whom and what it does not have', async () => {
    const { feishuRefuses } = await run()
    expect(await feishuRefuses('POST', '/accounts', { ...inTenant, tenantKey: 'tk_nine' })).toEqual([
      404,
      expect.stringMatching(/^no tenant tk_nine /),
    ])
    expect(await feishuRefuses('PUT', '/event-url', { appId: 'cli_nine', url: 'http://127.0.0.1:1' })).toEqual([
      404,
      expect.stringMatching(/^no app cli_nine /),
    ])
    expect(await feishuRefuses('POST', '/events/none/redeliver')).toEqual([
      404,
      expect.stringMatching(/^no event none/),
    ])
    expect(await feishuRefuses('PATCH', '/switches', { color: 1 })).toEqual([404, expect.stringMatching(/color/)])
  })

  test('answers 400 for what its state does not allow', async () => {
    const { feishu, feishuRefuses } = await run()
    const { backgroundCheckId } = feishu.createOrder({ ...inTenant, accountId: '1', hold: true })
    const order = { ...inTenant, accountId: '1', backgroundCheckId }
    expect(await feishuRefuses('POST', '/orders', order)).toEqual([400, expect.stringMatching(/already$/)])
    const approval = `/orders/${backgroundCheckId}/approval`
    expect(await feishuRefuses('POST', approval, { decision: 'approve' })).toEqual([
      400,
      expect.stringMatching(/only a report in_approval/),
    ])
    feishu.cancelOrder(backgroundCheckId, { hold: true })
    expect(await feishuRefuses('POST', `/orders/${backgroundCheckId}/cancel`)).toEqual([
      400,
      expect.stringMatching(/only an open one/),
    ])
    expect(await feishuRefuses('POST', '/app-ticket', { appId: inTenant.appId })).toEqual([
      400,
      expect.stringMatching(/custom app/),
    ])
    feishu.addTenant({ tenantKey: 'tk_bare', appIds: [] })
    expect(await feishuRefuses('POST', '/accounts', { ...inTenant, tenantKey: 'tk_bare' })).toEqual([
      400,
      expect.stringMatching(/not installed/),
    ])
  })

  test('sends events over HTTP only', async () => {
    const { feishuRefuses } = await run()
    expect(await feishuRefuses('PUT', '/event-url', { ...inTenant, tenantKey: undefined, url: 'ftp://x/' })).toEqual([
      400,
      expect.stringMatching(/^url: expected a URL that begins with http/),
    ])
  })
})

describe('the sandbox vendor', () => {
  test('answers 404 for an account and an order that it does not have', async () => {
    const { vendorRefuses } = await run()
    expect(await vendorRefuses('POST', '/accounts/9/confirm')).toEqual([404, expect.stringMatching(/^no account 9 /)])
    expect(await vendorRefuses('PATCH', '/orders/V-9', {})).toEqual([404, 'no order V-9 at this vendor'])
  })

  const report = { name: 'a.pdf', url: 'https://vendor.example/a.pdf' }
  const stage = { id: 'st-1', name: 'a', time: 1767315600000 }

  test.each([
    ['stages that are no list', { stages: 'x' }, /^stages: .*it came as "x"$/],
    ['a stage without an id', { stages: [{ ...stage, id: undefined }] }, /^stages\.0\.id: /],
    ['a stage without a time', { stages: [{ ...stage, time: undefined }] }, /^stages\.0\.time: /],
    [
      'a report without a link',
      { stages: [{ ...stage, reports: [{ name: 'a.pdf' }] }] },
      /^stages\.0\.reports\.0\.url: /,
    ],
    ['a result that is a word', { result: '绿灯' }, /^result: /],
    ['a result without a time', { result: { result: '绿灯' } }, /^result\.time: /],
    ['a status that it does not know', { status: 'done' }, /^status: /],
    ['what no change may touch', { orderId: 'V-9' }, /orderId/],
  ])('refuses %s, and leaves the order as it was', async (_, body, complaint) => {
    const { vendor, vendorRefuses } = await run()
    const before = structuredClone(vendor.order(checkId))
    expect(await vendorRefuses('PATCH', `/orders/${checkId}`, body)).toEqual([400, expect.stringMatching(complaint)])
    expect(vendor.order(checkId)).toEqual(before)
  })

  test('takes status, stages and result as orders have them', async () => {
    const { vendor, patchOrder } = await run()
    const changes = {
      status: 'completed',
      stages: [{ ...stage, en_name: 'A', result: '绿灯', reports: [{ ...report, type: 2 }] }, stage],
      result: { result: '绿灯', time: 1767315600001, reports: [report] },
    }
    expect(await patchOrder(changes)).toMatchObject({ status: 200, json: changes })
    expect(vendor.order(checkId)).toMatchObject(changes)
    expect(await patchOrder({ stages: [] })).toMatchObject({ status: 200, json: { ...changes, stages: [] } })
  })

  test('nudges over HTTP only', async () => {
    const { vendorRefuses } = await run()
    expect(await vendorRefuses('PUT', '/notify', { url: 'ftp://x/', key: 'k' })).toEqual([
      400,
      expect.stringMatching(/^url: expected a URL that begins with http/),
    ])
  })
})
