import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { catalogOf, field, pkg } from '../support/catalog.js'
import { dead, delivered } from '../support/lane-room.js'
import { settleAll } from '../support/settle-due.js'
import { type Api, secrets, startOperators } from './harness.js'

let api: Api
beforeEach(async () => {
  api = await startOperators()
  await sql(
    `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state) VALUES ('7001', 'cli_a', 'tk_a', '', '{}', 'confirmed')`,
  )
})
afterEach(() => api.stop())

const sql = (text: string) => api.parts.database.pool.query(text)
const send = (method: string, path: string, body: unknown, secret = secrets.all) =>
  api.call(method, `/v1/accounts/${path}`, {
    secret,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })
const put = (body: unknown, query = '') => send('PUT', `7001/catalog${query}`, body)
const patch = (custom_field_list: unknown) => send('PATCH', '7001/custom-fields', { custom_field_list })
const read = async () => (await api.call('GET', '/v1/accounts/7001')).body
const count = async (from: string) => Number((await sql(`SELECT count(*) AS n FROM ${from}`)).rows[0].n)

const settled = () => settleAll(api.parts, delivered)
const refused = () => settleAll(api.parts, dead)

describe('PUT catalog', () => {
  it('answers the plan with its deliveries, and wakes a pump', async () => {
    const { status, body } = await put(catalogOf(['a'], ['x'], ['f']))
    const ids = (await sql('SELECT id FROM deliveries ORDER BY seq')).rows.map((row) => row.id)
    expect(status).toBe(202)
    expect(body).toEqual({
      plan: [
        {
          api: 'packages.create',
          summary: 'creates 1 package (a) and 1 additional item (x)',
          irreversible: false,
        },
        { api: 'custom_fields.create', summary: 'creates 1 field (f)', irreversible: false },
      ],
      delivery_ids: ids,
    })
    expect(api.hints).toEqual([['pump', expect.any(String)]])
    const shown = await api.call('GET', `/v1/deliveries/${ids[0]}?reveal=true`)
    expect(shown.body).toMatchObject({ api: 'packages.create', request: { account_id: '7001' } })
  })

  it('shows the same in a dry run, and keeps nothing', async () => {
    const dry = await put(catalogOf(['a']), '?dry_run=true')
    expect(dry).toMatchObject({ status: 202, body: { plan: [{ api: 'packages.create' }], delivery_ids: [] } })
    expect([await count('catalogs'), await count('deliveries'), api.hints]).toEqual([0, 0, []])
  })

  it('asks for a word where calls cannot be undone, with the plan in the problem', async () => {
    await put(catalogOf(['a']))
    await settled()
    const refused = await put(catalogOf(['b']))
    expect(refused).toMatchObject({
      status: 409,
      body: {
        type: '/docs/problems#catalog-irreversible',
        plan: [
          { api: 'packages.create', irreversible: false },
          { api: 'packages.batch_delete', irreversible: true },
        ],
      },
    })
    expect(await put(catalogOf(['b']), '?dry_run=true')).toMatchObject({ status: 409 })
    expect(await put({ ...catalogOf(['b']), allow_irreversible: true })).toMatchObject({ status: 202 })
  })

  it('says all that does not fit at once, and nothing of what came', async () => {
    const reply = await put({
      packages: [{ id: 'canary'.repeat(9), name: 'canary' }, 'canary'],
      custom_fields: [{ type: 'canary', key: 'k', name: {}, is_required: true }],
      canary: 1,
    })
    expect(reply).toMatchObject({ status: 422, body: { type: '/docs/problems#catalog-refused' } })
    const errors = reply.body['errors'] as Array<{ path: string }>
    expect(errors.map((each) => each.path)).toEqual([
      'packages.0.id',
      'packages.1',
      'custom_fields.0.type',
      'custom_fields.0.name',
      'canary',
    ])
    expect(JSON.stringify(errors.map((each) => ({ ...each, path: '' })))).not.toContain('canary')
    expect(await put({})).toMatchObject({ status: 422, body: { errors: [{ path: 'body' }] } })
    expect(await put({ allow_irreversible: 'yes' })).toMatchObject({ status: 400 })
    expect(await put([])).toMatchObject({ status: 400 })
    expect(await count('deliveries')).toBe(0)
  })

  it('proposes other ids for those that were deleted', async () => {
    await put(catalogOf(['a', 'b'], [], ['degree']))
    await settled()
    await put({ ...catalogOf(['b']), allow_irreversible: true })
    await settled()
    const reply = await put({ ...catalogOf(['a', 'b'], [], ['degree']), allow_irreversible: true })
    expect(reply).toMatchObject({
      status: 422,
      body: {
        errors: [
          { path: 'packages.0.id', message: expect.stringMatching(/such as a_v2$/) },
          { path: 'custom_fields.0.key', message: expect.stringMatching(/such as degree_v2$/) },
        ],
      },
    })
  })

  it('needs an account that is known and the scope operate', async () => {
    expect(await send('PUT', '7002/catalog', catalogOf(['a']))).toMatchObject({ status: 404 })
    expect(await send('PUT', '7001/catalog', catalogOf(['a']), secrets.read)).toMatchObject({ status: 403 })
    expect(await send('PATCH', '7001/custom-fields', {}, secrets.read)).toMatchObject({ status: 403 })
    expect(await send('PATCH', '7002/custom-fields', {})).toMatchObject({ status: 404 })
  })
})

describe('PATCH custom-fields', () => {
  it('puts one update of the full list', async () => {
    await put(catalogOf([], [], ['f', 'g']))
    await settled()
    const reply = await patch([field('f', { name: { en_us: 'F' } }), field('g')])
    expect(reply).toMatchObject({
      status: 202,
      body: {
        plan: [
          {
            api: 'custom_fields.batch_update',
            summary: 'says how 2 fields (f, g) are called',
            irreversible: false,
          },
        ],
        delivery_ids: [expect.any(String)],
      },
    })
  })

  it('refuses everything else with every complaint, and sends nothing', async () => {
    await put(catalogOf([], [], ['f', 'g']))
    await settled()
    const reply = await patch([field('g', { type: 'select' }), { key: 'x'.repeat(101) }, field('h')])
    expect(reply).toMatchObject({ status: 422, body: { type: '/docs/problems#catalog-refused' } })
    const errors = reply.body['errors'] as Array<{ path: string }>
    expect([...new Set(errors.map((each) => each.path))].toSorted()).toEqual([
      'custom_field_list',
      'custom_field_list.0.key',
      'custom_field_list.0.options',
      'custom_field_list.0.type',
      'custom_field_list.1.is_required',
      'custom_field_list.1.key',
      'custom_field_list.1.name',
      'custom_field_list.1.type',
      'custom_field_list.2.key',
    ])
    expect(await count(`deliveries WHERE state = 'pending'`)).toBe(0)
  })
})

describe('GET an account', () => {
  it('says nothing of a catalog where nobody did', async () => {
    expect(await read()).not.toHaveProperty('catalog')
  })

  it('shows what Feishu holds, what is wanted, and what lies between', async () => {
    await put(catalogOf(['a', 'b'], [], ['f']))
    await settled()
    const wanted = { ...catalogOf(['b', 'c'], [], ['f']), packages: [pkg('b', 'B'), pkg('c')] }
    await put({ ...wanted, allow_irreversible: true })
    await refused()
    expect((await read())['catalog']).toEqual({
      state: 'failed',
      wanted_by: 'operator',
      wanted,
      held: catalogOf(['a', 'b'], [], ['f']),
      difference: {
        packages: { added: ['c'], changed: ['b'], removed: ['a'] },
        additional_items: { added: [], changed: [], removed: [] },
        custom_fields: { added: [], changed: [], removed: [] },
      },
      plan: [
        { api: 'packages.create', summary: expect.any(String), irreversible: false },
        { api: 'packages.batch_update', summary: expect.any(String), irreversible: false },
        { api: 'packages.batch_delete', summary: expect.any(String), irreversible: true },
      ],
      unclear: [],
      spent: { packages: [], additional_items: [], custom_fields: [] },
      failure: { class: 'feishu', message: expect.any(String), action: expect.any(String) },
      updated_at: expect.stringMatching(/Z$/),
    })
  })
})

it('a dead call that is retried is planned anew, and is no longer needed itself', async () => {
  await put(catalogOf(['a'], [], ['f']))
  await refused()
  const [dead] = (await sql(`SELECT id FROM deliveries WHERE state = 'dead'`)).rows
  const reply = await api.call('POST', `/v1/deliveries/${dead.id}/retry`)
  expect(reply).toMatchObject({ status: 202, body: { id: dead.id, state: 'superseded' } })
  await settled()
  expect((await read())['catalog']).toMatchObject({ state: 'in_step', held: catalogOf(['a'], [], ['f']) })
})
