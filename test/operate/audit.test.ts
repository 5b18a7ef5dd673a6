import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { none, ok, route } from '../../src/operate/api/route.js'
import { routes } from '../../src/operate/api/routes.js'
import { catalogOf } from '../support/catalog.js'
import { type Api, itemsOf, readPages, secrets, startOperators } from './harness.js'
import { recipes } from './recipes.js'
import { json } from './requests.js'
import * as rows from './rows.js'

let api: Api
beforeAll(async () => {
  api = await startOperators({ trustedProxies: '127.0.0.1' })
})
afterAll(() => api.stop())
beforeEach(() => query('TRUNCATE audit'))

let ids = 8_400_000
const nextId = () => {
  ids += 1
  return String(ids)
}
const query = async (text: string) => (await api.parts.database.pool.query(text)).rows
const entries = () =>
  query('SELECT actor, via, action, subject, outcome, before, after, address FROM audit ORDER BY id')
const post = (path: string, body?: object, secret = secrets.all) =>
  api.call('POST', `/v1/${path}`, {
    secret,
    headers: { ...(body && json), 'x-forwarded-for': '192.0.2.7' },
    ...(body && { body: JSON.stringify(body) }),
  })

const writes = routes.filter(({ method }) => method !== 'GET').map(({ id }) => id)
const refusals = Object.keys(recipes).filter((name) => writes.includes(name.split(' ')[0] ?? '') && name.includes(' '))

/** Make something of the recipe, and answer the entries that its last request left. */
async function entriesOf(name: string) {
  const id = nextId()
  await recipes[name]?.(api, id)
  const [action] = name.split(' ')
  return { id, last: (await entries()).findLast((entry) => entry.action === action) }
}

describe('every write', () => {
  it.each(writes)('%s leaves an entry: who, what, to what, from where', async (name) => {
    const { last } = await entriesOf(name)
    expect(last).toMatchObject({ actor: 'all', via: 'api', action: name, outcome: 'done', address: '127.0.0.1' })
    expect(last.subject).toMatch(/^\w+(:[\w/-]+)*$/)
    expect(last.after ?? last.before).not.toBeNull()
  })

  it.each(refusals)('%s leaves an entry, refused', async (name) => {
    const { last } = await entriesOf(name)
    expect(last).toMatchObject({ actor: 'all', via: 'api', outcome: 'refused', address: '127.0.0.1' })
  })

  it.each([
    ['orders.retry', { state: 'failed', attention: [] }, { state: 'received', attention: [] }],
    ['deliveries.retry', { state: 'dead', class: 'ours' }, { state: 'pending', class: null }],
    ['events.retry', { state: 'failed' }, { state: 'new' }],
    ['accounts.put', { state: 'unconfirmed', customer_id: null }, { state: 'confirmed', customer_id: 'C-9' }],
    [
      'accounts.put_catalog',
      null,
      { state: 'syncing', packages: 1, additional_items: 1, custom_fields: 1, deliveries: 2 },
    ],
    ['agreements.create', null, { app_id: 'cli_a', tenant_key: 'tk_a', state: 'pending' }],
    ['agreements.change', null, { state: 2, modify_time: '1767315600000', deleted: false }],
    ['holds.release', { scope: 'method', released: false }, { scope: 'method', released: true }],
    ['findings.dismiss', { state: 'open' }, { state: 'dismissed' }],
  ])('%s shows its subject before and after', async (name, before, after) => {
    const { last } = await entriesOf(name)
    if (before === null) expect(last.before).toBeNull()
    else expect(last.before).toMatchObject(before)
    expect(last.after).toMatchObject(after)
  })

  it('names the problem that it was refused with', async () => {
    expect((await entriesOf('holds.release hold-released')).last.after).toMatchObject({ problem: 'hold-released' })
  })

  it('names the order behind a proxy by the address that the proxy saw', async () => {
    await rows.addPolledOrder(api, '101', 'V-101')
    await post('orders/101/poll', undefined, secrets.operate)
    expect(await entries()).toMatchObject([{ actor: 'operate', subject: 'order:101', address: '192.0.2.7' }])
  })

  it('tells nothing of a person', async () => {
    for (const name of [...writes, ...refusals]) await recipes[name]?.(api, nextId())
    expect(JSON.stringify(await entries())).not.toMatch(rows.personal)
  })

  it('is not there without its entry: where that cannot be written, nothing happens', async () => {
    const id = nextId()
    await rows.addFailedOrder(api, id)
    await query('ALTER TABLE audit RENAME TO audit_away')
    try {
      expect((await post(`orders/${id}/retry`)).status).toBe(500)
      expect(await query(`SELECT state FROM orders WHERE background_check_id = '${id}'`)).toEqual([{ state: 'failed' }])
    } finally {
      await query('ALTER TABLE audit_away RENAME TO audit')
    }
  })
})

describe('no entry', () => {
  it('is left by what does not fit, is not allowed, or only shows what would be done', async () => {
    const id = nextId()
    await query(`INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state)
      VALUES ('${id}', 'cli_a', 'tk_a', '', '{}', 'confirmed')`)
    await api.call('PUT', `/v1/accounts/${id}/catalog?dry_run=true`, {
      headers: json,
      body: JSON.stringify(catalogOf(['a'])),
    })
    await api.call('PUT', `/v1/accounts/${id}/catalog?dry_run=true`, { headers: json, body: '{"packages":[{}]}' })
    await post('deliveries/retry', { filter: {}, dry_run: true })
    await post('orders/1/poll', undefined, secrets.read)
    await post('orders/1/poll', { unknown: 1 })
    await api.call('GET', '/v1/orders')
    expect(await entries()).toEqual([])
  })

  it('is left by notices that change nothing: one of a thousand moves the poll', async () => {
    await rows.addPolledOrder(api, '201', 'V-201')
    for (let index = 0; index < 5; index += 1) await post('vendor/orders/V-201/changed', undefined, secrets.notify)
    for (let index = 0; index < 5; index += 1) await post('vendor/orders/V-unknown/changed', undefined, secrets.notify)
    expect(await entries()).toMatchObject([
      { actor: 'notify', subject: 'vendor_order:V-201', before: { polled: [] }, after: { polled: ['201'] } },
      { subject: 'vendor_order:V-unknown', before: { remembered: false }, after: { remembered: true } },
    ])
  })
})

it('one retry of many leaves an entry for each delivery, and one for the filter', async () => {
  await rows.addOrder(api, '301')
  const stages = [rows.stage('301', 'st-1'), rows.stage('301', 'st-2')]
  for (const id of await rows.addDeliveries(api, '301', stages))
    await rows.setDelivery(api, id, { state: 'dead', dead_class: 'ours', due_at: null })
  const { body } = await post('deliveries/retry', { filter: { background_check_id: '301' } })
  const [first, second] = z.array(z.string()).parse(body['delivery_ids'])
  expect(await entries()).toMatchObject([
    {
      action: 'deliveries.retry',
      subject: `delivery:${first}`,
      before: { state: 'dead' },
      after: { state: 'pending' },
    },
    { action: 'deliveries.retry', subject: `delivery:${second}` },
    {
      action: 'deliveries.retry_many',
      subject: 'deliveries',
      after: { filter: { background_check_id: '301' }, revived: 2, refused: 0 },
    },
  ])
})

it('a request that is revealed leaves an entry before it is shown, and is not shown without', async () => {
  await rows.addOrder(api, '401')
  const [id = ''] = await rows.addDeliveries(api, '401', [rows.stage('401', 'st-1')])
  const reveal = () => api.call('GET', `/v1/deliveries/${id}?reveal=true`, { secret: secrets.reveal })
  expect((await reveal()).status).toBe(200)
  expect(await entries()).toMatchObject([
    { actor: 'reveal', via: 'api', action: 'deliveries.reveal', subject: `delivery:${id}`, address: '127.0.0.1' },
  ])
  await query('ALTER TABLE audit RENAME TO audit_away')
  const without = await reveal()
  await query('ALTER TABLE audit_away RENAME TO audit')
  expect(without.status).toBe(500)
  expect(JSON.stringify(without.body)).not.toContain('canary')
})

describe('GET /v1/audit', () => {
  it('lists newest first, by subject, actor and action, in pages that hold still', async () => {
    await rows.addPolledOrder(api, '501', 'V-501')
    await rows.addPolledOrder(api, '502', 'V-502')
    for (const id of ['501', '502', '501', '501']) await post(`orders/${id}/poll`)
    await post('orders/501/cancel', undefined, secrets.operate)
    const list = async (search: string) =>
      itemsOf(await api.call('GET', `/v1/audit?${search}`, { secret: secrets.read }))
    expect((await list('subject=order:501')).map((entry) => entry['action'])).toEqual([
      'orders.cancel',
      'orders.poll',
      'orders.poll',
      'orders.poll',
    ])
    expect(await list('actor=operate')).toHaveLength(1)
    expect(await list('action=orders.poll&subject=order:502')).toHaveLength(1)
    const paged = await readPages(api, '/v1/audit?limit=2', () => post('orders/502/poll'))
    expect(paged.map((entry) => entry['subject'])).toEqual(
      ['501', '501', '501', '502', '501'].map((id) => `order:${id}`),
    )
  })
})

it('a write that tells nothing to the audit does not compile, and one that forgets to is not answered', async () => {
  const facts = {
    id: 'x.y',
    path: '/v1/x',
    summary: '',
    scopes: [],
    status: 200,
    params: none,
    query: none,
    body: z.unknown(),
    answer: z.object({}),
    problems: [],
    run: async () => ok({}),
  } as const
  // @ts-expect-error: an audit is missing
  route({ ...facts, method: 'POST' })
  const audit = { subject: () => 'x:1', look: async () => undefined }
  const checked = route({ ...facts, method: 'POST', audit }).check({
    ...{ params: {}, query: new URLSearchParams(), body: undefined, address: '' },
    key: { name: 'x', secret: '', scopes: [] },
  })
  if (checked.kind === 'problem') throw new Error('the request fits')
  await expect(checked.run(api.parts)).rejects.toThrow('x.y left no entry in the audit')
})
