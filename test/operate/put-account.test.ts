import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FeishuApp } from '../../src/config.js'
import { createBinding } from '../../src/flow/accounts/bind.js'
import { accountContext, registerAccount } from '../../src/flow/accounts/register.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import type { VendorTask } from '../../src/flow/orders/tasks.js'
import { openJson } from '../../src/platform/crypto/data-key.js'
import { orderToPlace } from '../support/order-to-place.js'
import { final, scriptedVendor } from '../support/scripted-vendor.js'
import { type Api, itemsOf, secrets, sorted, startOperators } from './harness.js'

let api: Api
beforeEach(async () => {
  api = await startOperators()
})
afterEach(() => api.stop())

const path = '/v1/accounts/7001'
const whole = {
  tenant_key: 'tk_a',
  app_id: 'cli_a',
  account_name: 'Company',
  usage_list: [1, 2],
  custom_fields: { org: 'canary-field' },
}
const put = (body: object, to = path) =>
  api.call('PUT', to, {
    secret: secrets.operate,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })
const rows = async (text: string) => (await api.parts.database.pool.query(text)).rows
const tasks = () => rows('SELECT subject, action, tenant_key, due_at <= now() AS due FROM vendor_tasks')
const asked = { subject: 'account:7001', action: 'bind', tenant_key: 'tk_a', due: true }

const bind = (tenantKey = 'tk_a', accountName = 'By event') =>
  api.parts.database.transaction((sql) =>
    registerAccount(
      sql,
      api.parts.sealer,
      { appId: 'cli_a', tenantKey },
      { accountId: '7001', tenantKey, accountName, usageList: [1], customFields: {} },
    ),
  )

const order = (backgroundCheckId: string, accountId = '7001', tenantKey = 'tk_a') =>
  api.parts.database.transaction((sql) =>
    receiveOrder(
      sql,
      api.parts.sealer,
      { appId: 'cli_a', tenantKey },
      orderToPlace(backgroundCheckId, { accountId, tenantKey }),
    ),
  )

describe('an account that an operator registers', () => {
  it('is told to the vendor, with what the operator said, and is sealed like any other', async () => {
    const { status, body } = await put(whole)
    expect([status, body]).toEqual([
      200,
      {
        account_id: '7001',
        app_id: 'cli_a',
        tenant_key: 'tk_a',
        account_name: 'Company',
        usage_list: [1, 2],
        state: 'unconfirmed',
        customer_id: null,
        created_at: expect.stringMatching(/\.\d{3}Z$/),
        updated_at: expect.stringMatching(/\.\d{3}Z$/),
      },
    ])
    expect(await tasks()).toEqual([asked])
    expect(api.hints).toEqual([['vendor', '']])
    const [row] = await rows('SELECT custom_fields_sealed AS sealed FROM accounts')
    expect(openJson(api.parts.sealer, row.sealed, accountContext('7001'))).toEqual({ org: 'canary-field' })
    expect(String(row.sealed)).not.toContain('canary')
  })

  it('is confirmed at once where the operator knows the customer, and nobody is asked', async () => {
    const { body } = await put({ tenant_key: 'tk_a', customer_id: 'C-9' })
    expect(body).toMatchObject({ app_id: 'cli_a', account_name: '', state: 'confirmed', customer_id: 'C-9' })
    expect(await tasks()).toEqual([])
  })

  it.each([
    ['without a customer', {}],
    ['with one', { customer_id: 'C-9' }],
  ])('stays as it is when the same comes again %s', async (_, more) => {
    const first = await put({ ...whole, ...more })
    const dueAt = await rows('SELECT due_at, fence FROM vendor_tasks')
    expect((await put({ ...whole, ...more })).body).toEqual(first.body)
    expect(await rows('SELECT due_at, fence FROM vendor_tasks')).toEqual(dueAt)
  })

  it('keeps what is left out, and has the vendor asked again when something is new', async () => {
    await put({ ...whole, customer_id: 'C-9' })
    expect((await put({ tenant_key: 'tk_a' })).body).toMatchObject({ account_name: 'Company', state: 'confirmed' })
    const { body } = await put({ tenant_key: 'tk_a', custom_fields: { org: 'other' } })
    expect(body).toMatchObject({
      account_name: 'Company',
      usage_list: [1, 2],
      state: 'unconfirmed',
      customer_id: 'C-9',
    })
    expect(await tasks()).toEqual([asked])
  })

  it('is asked for again after the vendor refused it', async () => {
    await put(whole)
    await rows(`UPDATE accounts SET state = 'failed', failure = '{"class":"vendor","message":"m","action":"a"}'`)
    await rows('DELETE FROM vendor_tasks')
    const { body } = await put(whole)
    expect([body['state'], body['failure']]).toEqual(['unconfirmed', undefined])
    expect(await tasks()).toEqual([asked])
  })

  it('is not unconfirmed by the answer to a question that was asked before', async () => {
    await bind()
    const vendor = scriptedVendor()
    vendor.script('bind', async () => {
      await put({ tenant_key: 'tk_a', customer_id: 'C-9' })
      await put({ tenant_key: 'tk_a', account_name: 'Renamed' })
      await rows(`UPDATE vendor_tasks SET fence = fence + 1, claimed = true`)
      return final
    })
    await rows('UPDATE vendor_tasks SET fence = 1')
    const claimed: VendorTask = {
      subject: 'account:7001',
      id: '7001',
      action: 'bind',
      tenantKey: 'tk_a',
      fence: 1,
      attempts: 0,
      ageMs: 0,
      ambiguousAt: null,
      reasonSealed: null,
    }
    const { database, sealer, log } = api.parts
    await createBinding({ database, sealer, vendor, log })(claimed, new AbortController().signal)
    expect((await api.call('GET', path)).body).toMatchObject({ state: 'unconfirmed', customer_id: 'C-9' })
    expect(await tasks()).toHaveLength(1)
  })

  it.each([
    ['of another tenant', { tenant_key: 'tk_b' }],
    ['of another tenant, and the customer known', { tenant_key: 'tk_b', customer_id: 'C-9' }],
  ])('is refused as one %s, and the account stays', async (_, body) => {
    await bind()
    const before = (await api.call('GET', path)).body
    const { status, body: problem } = await put(body)
    expect([status, problem['type']]).toEqual([409, '/docs/problems#account-elsewhere'])
    expect((await api.call('GET', path)).body).toEqual(before)
  })

  it.each([
    [{ tenant_key: 'tk_a', app_id: 'cli_other' }, 'app_id', 'expected one of the apps of this service: cli_a'],
    [{}, 'tenant_key', ''],
    [{ tenant_key: '' }, 'tenant_key', 'expected the tenant that bound the account'],
    [
      { tenant_key: 'tk_a', usage_list: [1.5] },
      'usage_list.0',
      'expected a list of 1 (social) and 2 (campus recruiting)',
    ],
    [{ tenant_key: 'tk_a', custom_fields: { org: 1 } }, 'custom_fields.org', 'expected a text'],
    [{ tenant_key: 'tk_a', customer_id: '' }, 'customer_id', "expected the customer's id at the vendor"],
    [{ tenant_key: 'tk_a', customer: 'x' }, 'body', ''],
  ])('is refused as %j with the path', async (body, at, message) => {
    const reply = await put(body)
    expect(reply.status).toBe(400)
    expect(reply.body['errors']).toEqual([{ path: at, message: message === '' ? expect.any(String) : message }])
    expect(await rows('SELECT 1 FROM accounts')).toEqual([])
  })

  it('needs a key with the scope operate, and an id of Feishu', async () => {
    const body = JSON.stringify(whole)
    const headers = { 'content-type': 'application/json' }
    expect((await api.call('PUT', path, { secret: secrets.read, body, headers })).status).toBe(403)
    expect((await put(whole, '/v1/accounts/not-an-id')).status).toBe(404)
  })

  it('is one account when it is registered, bound by its event and asked for again at once', async () => {
    const again = () => api.call('POST', `${path}/bind`)
    await Promise.all([put(whole), bind(), put({ ...whole, customer_id: 'C-9' }), bind(), put(whole), again(), again()])
    expect(await rows('SELECT account_id FROM accounts')).toEqual([{ account_id: '7001' }])
  })
})

describe('an account that is only known from orders', () => {
  const shown = async (query = '') => itemsOf(await api.call('GET', `/v1/accounts${query}`))

  it('shows as unbound, without a name, and nobody is asked about it', async () => {
    expect(await order('101')).toEqual({ kind: 'done' })
    await order('102')
    expect(await shown('?state=unbound')).toMatchObject([
      { account_id: '7001', app_id: 'cli_a', tenant_key: 'tk_a', account_name: '', usage_list: [], state: 'unbound' },
    ])
    const places = await rows('SELECT subject, action FROM vendor_tasks ORDER BY 1')
    expect(places.map((task) => task.action)).toEqual(['place', 'place'])
    expect(await shown('?state=confirmed')).toEqual([])
  })

  it.each(['', 'no id', '1'.repeat(5000)])('is not made of what is no id: %.10s', async (accountId) => {
    expect(await order('101', accountId)).toEqual({ kind: 'done' })
    expect(await shown()).toEqual([])
  })

  it('leaves an account alone that is bound, be it to another tenant', async () => {
    await bind()
    const before = await shown()
    expect(await order('101')).toEqual({ kind: 'done' })
    expect(await order('102', '7001', 'tk_b')).toEqual({ kind: 'done' })
    expect(await shown()).toEqual(before)
    expect(await rows(`SELECT tenant_key FROM orders WHERE background_check_id = '102'`)).toEqual([
      { tenant_key: 'tk_b' },
    ])
  })

  it.each([
    ['its event comes', () => bind(), 'By event'],
    ['an operator registers it', () => put(whole), 'Company'],
  ])('becomes a normal one once %s', async (_, register, name) => {
    await order('101')
    await register()
    expect(await shown()).toMatchObject([{ account_name: name, state: 'unconfirmed', tenant_key: 'tk_a' }])
    expect((await tasks()).filter((task) => task.action === 'bind')).toEqual([asked])
  })

  it('belongs to whoever binds it, not to whoever ordered first', async () => {
    await order('101', '7001', 'tk_b')
    expect((await put(whole)).status).toBe(409)
    expect(await bind('tk_a')).toEqual({ kind: 'done' })
    expect(await shown()).toMatchObject([{ tenant_key: 'tk_a', state: 'unconfirmed' }])
    expect(await bind('tk_b')).toMatchObject({ kind: 'refused' })
  })

  it('is one account when many orders and its event come at once', async () => {
    const ids = Array.from({ length: 8 }, (_, index) => String(201 + index))
    const done = await Promise.all([...ids.map((id) => order(id)), bind(), bind()])
    expect(done).toEqual(done.map(() => ({ kind: 'done' })))
    expect(await shown()).toMatchObject([{ account_id: '7001', state: 'unconfirmed' }])
    expect(sorted((await rows('SELECT background_check_id AS id FROM orders')).map((row) => row.id))).toEqual(ids)
  })
})

it('the app has to be named where there are several and none is known for the tenant', async () => {
  const { apps } = api.parts.config.feishu
  const [app] = apps
  const expectedApps = 'expected one of the apps of this service'
  // The list is only read by the service; the test adds what a second app in the environment would.
  if (app !== undefined) (apps as FeishuApp[]).push({ ...app, appId: 'cli_b' })
  const { status, body } = await put({ tenant_key: 'tk_a' })
  expect([status, body['errors']]).toEqual([
    400,
    [{ path: 'app_id', message: `${expectedApps}: cli_a, cli_b, since no app of this tenant is known here` }],
  ])
  expect((await put({ tenant_key: 'tk_a', app_id: 'cli_b' })).body).toMatchObject({ app_id: 'cli_b' })
  expect((await put({ tenant_key: 'tk_a', app_id: 'cli_a' })).status).toBe(409)
})
