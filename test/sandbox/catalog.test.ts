import { afterEach, expect, test } from 'vitest'
import { type Client, clientOf, customApp, type Json, startFeishu, stopAll, tenantKey } from './support.js'

afterEach(stopAll)

async function bound() {
  const feishu = await startFeishu()
  const client = await clientOf(feishu)
  const { accountId } = feishu.createAccount({ appId: customApp.appId, tenantKey })
  return { feishu, client, accountId, account: () => feishu.account(accountId) }
}
const pkg = (id: string, more: Json = {}) => ({ id, name: `Package ${id}`, ...more })
const field = (key: string, more: Json = {}) => ({
  type: 'text',
  key,
  name: { zh_cn: key },
  is_required: true,
  ...more,
})
const packagesPath = 'eco_background_check_packages'
const fieldsPath = 'eco_background_check_custom_fields'
const accountFieldsPath = 'eco_account_custom_fields'

test('packages: create appends, update edits, delete removes for ever', async () => {
  const { feishu, client, accountId: account_id, account } = await bound()
  const create = (...ids: string[]) =>
    client('POST', packagesPath, { account_id, package_list: ids.map((id) => pkg(id)) })
  expect((await create('a', 'b')).code).toBe(0)
  expect((await create('c')).code).toBe(0)
  expect(await create('d', 'a')).toMatchObject({ status: 400, code: 1002001 })
  expect(account().packages.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  const update = (id: string) =>
    client('PATCH', `${packagesPath}/batch_update`, { account_id, package_list: [pkg(id, { name: 'New' })] })
  expect((await update('b')).code).toBe(0)
  expect(account().packages[1]?.name).toBe('New')
  expect(await update('z')).toMatchObject({ status: 400, code: 1002001 })
  const remove = () => client('POST', `${packagesPath}/batch_delete`, { account_id, package_id_list: ['a'] })
  expect((await remove()).code).toBe(0)
  expect(await remove()).toMatchObject({ status: 400, code: 1002859 })
  expect(await create('a')).toMatchObject({ status: 400, code: 1002001 })
  feishu.setSwitches({ packagesCreate: 'replace' })
  expect((await create('c', 'e')).code).toBe(0)
  expect(account().packages.map(({ id }) => id)).toEqual(['c', 'e'])
})

test('packages: additional items live beside them; limits and unknown accounts are refused', async () => {
  const { client, accountId: account_id, account } = await bound()
  const both = { account_id, package_list: [pkg('a')], additional_item_list: [pkg('x', { description: 'D' })] }
  expect((await client('POST', packagesPath, both)).code).toBe(0)
  expect(account().additionalItems).toEqual([pkg('x', { description: 'D' })])
  const refused = (body: Json) => client('POST', packagesPath, { account_id, ...body })
  expect(await refused({ package_list: [pkg('x'.repeat(37))] })).toMatchObject({ code: 99992402 })
  expect(await refused({ package_list: [pkg('n', { name: 'x'.repeat(101) })] })).toMatchObject({ code: 99992402 })
  expect(await refused({ package_list: [] })).toMatchObject({ code: 99992402 })
  expect(await refused({ account_id: '7400000000000009999', package_list: [pkg('n')] })).toMatchObject({
    code: 1002001,
  })
  const unknown = { account_id: '7400000000000009999', package_id_list: ['a'] }
  expect(await client('POST', `${packagesPath}/batch_delete`, unknown)).toMatchObject({ code: 1002859 })
})

test('custom fields: create replaces or is refused, update keeps keys, types and length, delete is for ever', async () => {
  const { feishu, client, accountId: account_id, account } = await bound()
  const call = (how: Client, method: string, path: string, list: Json[]) =>
    how(method, path, { account_id, custom_field_list: list })
  const create = (...list: Json[]) => call(client, 'POST', fieldsPath, list)
  const update = (...list: Json[]) => call(client, 'PATCH', `${fieldsPath}/batch_update`, list)
  const degree = field('degree', { type: 'select', options: [{ key: 'b', name: { zh_cn: '本科' } }] })
  expect(await create(field('a'), field('a'))).toMatchObject({ status: 400, code: 1002855 })
  expect((await create(field('old'))).code).toBe(0)
  expect((await create(field('a'), degree)).code).toBe(0)
  feishu.setSwitches({ customFieldsCreate: 'refuse_1002855' })
  expect(await create(field('b'))).toMatchObject({ status: 400, code: 1002855 })
  expect(await update(field('a'))).toMatchObject({ status: 400, code: 1002001 })
  expect(await update(field('a'), field('other'))).toMatchObject({ code: 1002001 })
  expect(await update(field('a', { type: 'number' }), degree)).toMatchObject({ code: 1002001 })
  expect((await update(field('a', { name: { zh_cn: '新' }, is_required: false }), degree)).code).toBe(0)
  expect(account().customFields[0]).toMatchObject({ name: { zh_cn: '新' }, is_required: true })
  const remove = () => client('POST', `${fieldsPath}/batch_delete`, { account_id })
  expect((await remove()).code).toBe(0)
  expect(await remove()).toMatchObject({ status: 400, code: 1002860 })
  expect(await create(field('a'))).toMatchObject({ code: 1002855 })
  expect((await create(field('a_v2'))).code).toBe(0)
})

test.each<[string, Json]>([
  ['a type that does not exist', { type: 'color' }],
  ['a select without options', { type: 'select' }],
  ['no is_required', { is_required: undefined }],
  ['a name in an unknown language', { name: { fr_fr: 'x' } }],
  ['an unknown property', { hint: 'x' }],
])('custom fields: refuses %s with 99992402', async (_, change) => {
  const { client, accountId: account_id } = await bound()
  const body = { account_id, custom_field_list: [field('a', change)] }
  expect(await client('POST', fieldsPath, body)).toMatchObject({ status: 400, code: 99992402 })
})

test('account fields: one set for each app, tenant and scope; at least one stays', async () => {
  const { feishu, client } = await bound()
  const fields = (...keys: string[]) => keys.map((key) => ({ key, name: { zh_cn: key }, is_required: true }))
  const create = (...keys: string[]) =>
    client('POST', accountFieldsPath, { scope: 1, custom_field_list: fields(...keys) })
  const remove = (...keys: string[]) =>
    client('POST', `${accountFieldsPath}/batch_delete`, { scope: 1, custom_field_key_list: keys })
  expect((await create('x')).code).toBe(0)
  expect((await create('org', 'unit')).code).toBe(0)
  const change = [{ key: 'org', name: { zh_cn: '机构' }, is_required: false }]
  expect(
    (await client('PATCH', `${accountFieldsPath}/batch_update`, { scope: 1, custom_field_list: change })).code,
  ).toBe(0)
  const [org] = feishu.accountFields(customApp.appId, tenantKey)
  expect(org).toEqual({ key: 'org', name: { zh_cn: '机构' }, is_required: true })
  const unknown = { scope: 1, custom_field_list: fields('none') }
  expect(await client('PATCH', `${accountFieldsPath}/batch_update`, unknown)).toMatchObject({
    status: 500,
    code: 1002001,
  })
  expect(await remove('org', 'unit')).toMatchObject({ status: 500, code: 1002001 })
  expect((await remove('unit')).code).toBe(0)
  expect(await create('unit')).toMatchObject({ status: 500, code: 1002001 })
  expect(await client('POST', accountFieldsPath, { scope: 3, custom_field_list: fields('a') })).toMatchObject({
    code: 99992402,
  })
})

test('tripartite agreements: preconditions, states, times', async () => {
  const { feishu, client } = await bound()
  const path = 'tripartite_agreements'
  const [ok, social, abroad] = ['7400000000000000401', '7400000000000000402', '7400000000000000403']
  feishu.addApplication({ tenantKey, applicationId: ok })
  feishu.addApplication({ tenantKey, applicationId: social, campus: false })
  feishu.addApplication({ tenantKey, applicationId: abroad, mainlandChina: false })
  const create = (application_id: string, state = 1) =>
    client('POST', path, { application_id, state, create_time: '1767315600000' })
  expect((await create('7400000000000000404')).code).toBe(1002002)
  expect((await create(social)).code).toBe(1002077)
  expect((await create(abroad)).code).toBe(1002078)
  expect((await create(ok, 10)).code).toBe(1002002)
  const made = await create(ok)
  const id = String(made.data.id)
  expect((await create(ok)).code).toBe(1002080)
  const update = (state: number, modify_time: string, which = id) =>
    client('PUT', `${path}/${which}`, { state, modify_time })
  expect((await update(3, '1767315600000')).code).toBe(0)
  expect((await update(3, '1767315600000')).code).toBe(0)
  expect(await update(4, '1767315599999')).toMatchObject({ status: 400, code: 1002002 })
  expect((await update(0, '1767315700000')).code).toBe(1002002)
  expect((await update(4, '1767315700000', '7400000000000009999')).code).toBe(1002075)
  expect((await client('GET', path)).data.items).toEqual([])
  expect((await client('GET', `${path}?application_id=${ok}`)).data.items).toMatchObject([{ id, state: 3 }])
  const both = await client('GET', `${path}?application_id=${social}&tripartite_agreement_id=${id}`)
  expect(both.data.items).toMatchObject([{ id, application_id: ok }])
  feishu.addTenant({ tenantKey, appIds: [], tripartiteSwitch: false })
  expect((await update(4, '1767315700000')).code).toBe(1002076)
  feishu.addTenant({ tenantKey, appIds: [], tripartiteSwitch: true })
  expect((await client('DELETE', `${path}/${id}`)).code).toBe(0)
  expect((await client('DELETE', `${path}/${id}`)).code).toBe(1002075)
})
