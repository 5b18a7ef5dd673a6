import { afterEach, describe, expect, it } from 'vitest'
import { catalogOf, field, pkg, shown } from '../support/catalog.js'
import { customApp, eventually, modes, startWorld, type World, type WorldOptions } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

async function bound(options: WorldOptions) {
  const running = await startWorld(options)
  world = running
  const { accountId } = running.feishu.createAccount({ appId: customApp.appId, tenantKey: 'tk_custom' })
  const read = async () => (await running.api('GET', `/v1/accounts/${accountId}`)).body
  const state = async () => ((await read())['catalog'] as { state?: string } | undefined)?.state
  await eventually(async () => (await read())['state']).toBe('confirmed')
  return {
    accountId,
    bindAgain: () => running.api('POST', `/v1/accounts/${accountId}/bind`),
    read,
    state,
    held: () => shown(running.feishu.account(accountId)),
    put: (body: object, query = '') => running.api('PUT', `/v1/accounts/${accountId}/catalog${query}`, body),
    patch: (body: object) => running.api('PATCH', `/v1/accounts/${accountId}/custom-fields`, body),
    calls: () =>
      running.feishu.calls().flatMap(({ api = '' }) => (/^(packages|custom_fields)\./.test(api) ? [api] : [])),
  }
}

describe.each(modes)('the catalog of an account, %s', (mode) => {
  it('goes from the vendor’s answer to Feishu, once', async () => {
    const catalog = catalogOf(['std', 'pro'], ['edu'], ['degree'])
    const { bindAgain, held, state, calls, read } = await bound({ mode, vendor: { catalog: () => catalog } })
    await eventually(state).toBe('in_step')
    expect(held()).toEqual({ ...catalog, packages: [pkg('pro'), pkg('std')] })
    expect(calls().toSorted()).toEqual(['custom_fields.create', 'packages.create'])
    await bindAgain()
    await eventually(async () => (await read())['state']).toBe('confirmed')
    expect(await state()).toBe('in_step')
    expect(calls()).toHaveLength(2)
  })

  it('follows what an operator puts, and a dry run says it before', async () => {
    const { put, held, state, calls, read } = await bound({ mode })
    const first = catalogOf(['std'], [], ['degree'])
    const dry = await put(first, '?dry_run=true')
    expect(dry).toMatchObject({ status: 202, body: { delivery_ids: [] } })
    expect(await read()).not.toHaveProperty('catalog')
    const { status, body } = await put(first)
    expect(status).toBe(202)
    expect(body['plan']).toEqual(dry.body['plan'])
    await eventually(state).toBe('in_step')
    expect(held()).toEqual(first)
    const next = { ...first, packages: [pkg('std', 'Standard')] }
    await put(next)
    await eventually(() => held()).toEqual(next)
    await eventually(state).toBe('in_step')
    expect(await put(next)).toMatchObject({ status: 202, body: { plan: [], delivery_ids: [] } })
    expect(calls()).toEqual(['packages.create', 'custom_fields.create', 'packages.batch_update'])
  })

  it('waits with what cannot be undone until an operator agrees', async () => {
    let catalog = catalogOf(['old'], [], ['degree'])
    const { bindAgain, put, held, state, read } = await bound({ mode, vendor: { catalog: () => catalog } })
    await eventually(state).toBe('in_step')
    catalog = catalogOf(['new'], [], ['degree_v2'])
    await bindAgain()
    await eventually(state).toBe('waiting')
    await eventually(() => held()).toEqual(catalogOf(['new', 'old'], [], ['degree']))
    // Feishu has it a moment before it is written down here.
    await eventually(async () => (await read())['catalog']).toMatchObject({
      wanted_by: 'vendor',
      difference: { packages: { added: [], removed: ['old'] } },
    })
    const refused = await put(catalog)
    expect(refused).toMatchObject({ status: 409, body: { type: '/docs/problems#catalog-irreversible' } })
    const plan = refused.body['plan'] as Array<{ api: string; irreversible: boolean }>
    expect(plan.map(({ api: call, irreversible }) => [call, irreversible])).toEqual([
      ['packages.batch_delete', true],
      ['custom_fields.batch_delete', true],
      ['custom_fields.create', true],
    ])
    expect(await put({ ...catalog, allow_irreversible: true })).toMatchObject({ status: 202 })
    await eventually(state).toBe('in_step')
    expect(held()).toEqual(catalog)
  })

  it('takes new names of fields, and nothing else, by PATCH', async () => {
    const { put, patch, held, state, calls } = await bound({ mode })
    await put(catalogOf(['std'], [], ['degree', 'school']))
    await eventually(state).toBe('in_step')
    const named = [field('degree', { name: { zh_cn: '学历' }, description: { en_us: 'highest' } }), field('school')]
    expect(await patch({ custom_field_list: named.toReversed() })).toMatchObject({ status: 422 })
    expect(await patch({ custom_field_list: named })).toMatchObject({
      status: 202,
      body: { plan: [{ api: 'custom_fields.batch_update', irreversible: false }] },
    })
    await eventually(() => held().custom_fields).toEqual(named)
    expect(calls().slice(2)).toEqual(['custom_fields.batch_update'])
  })
})

it('a catalog comes through lost answers and failures of Feishu, each call taken once', async () => {
  const { put, held, state, calls } = await bound({})
  const feishu = world?.feishu
  feishu?.addFault({ match: { api: 'packages.create' }, action: { kind: 'reset', apply: true } })
  feishu?.addFault({ match: { api: 'custom_fields.create' }, action: { kind: 'server_error' } })
  feishu?.addFault({ match: { api: 'custom_fields.batch_delete' }, action: { kind: 'garbage', apply: true } })
  await put(catalogOf(['std'], ['edu'], ['degree']))
  await eventually(state).toBe('in_step')
  await put({ ...catalogOf(['std'], ['edu'], ['degree_v2']), allow_irreversible: true })
  await eventually(state).toBe('in_step')
  expect(held()).toEqual(catalogOf(['std'], ['edu'], ['degree_v2']))
  expect(calls().filter((api) => api === 'packages.create')).toHaveLength(1)
})

it('a vendor’s catalog that does not fit leaves the account confirmed, and the log says why', async () => {
  const { read, state } = await bound({ vendor: { catalog: () => ({ packages: [{ id: 'canary'.repeat(9) }] }) } })
  await eventually(state).toBe('failed')
  expect(await read()).toMatchObject({
    state: 'confirmed',
    catalog: { failure: { class: 'vendor', message: expect.stringMatching(/packages\.0\.name: expected/) } },
  })
  const lines = world?.log.filter((line) => line.includes('catalog.refused')) ?? []
  expect(lines).toHaveLength(1)
  expect(lines[0]).not.toContain('canary')
})

it('a call that Feishu refused fails the catalog until an operator tries again', async () => {
  const { put, held, state } = await bound({})
  world?.feishu.addFault({
    match: { api: 'packages.create' },
    action: { kind: 'answer', httpStatus: 400, code: 1002001 },
  })
  await put(catalogOf(['std'], [], ['degree']))
  await eventually(state).toBe('failed')
  const dead = async () =>
    (await world?.api('GET', '/v1/deliveries?state=dead'))?.body['items'] as Array<{ id: string }>
  expect(await dead()).toMatchObject([{ api: 'packages.create', class: 'vendor' }])
  const [{ id } = { id: '' }] = await dead()
  expect(await world?.api('POST', `/v1/deliveries/${id}/retry`)).toMatchObject({ status: 202 })
  await eventually(state).toBe('in_step')
  expect(held()).toEqual(catalogOf(['std'], [], ['degree']))
  expect(await dead()).toEqual([])
})
