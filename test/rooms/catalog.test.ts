import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bodies } from '../../src/sandbox/feishu/bodies.js'
import { catalogOf, field, pkg, StrictFeishu, shown } from '../support/catalog.js'
import { type CatalogRoom, catalogRoom } from '../support/catalog-room.js'
import { type Ground, layGround } from '../support/room.js'

let ground: Ground
let room: CatalogRoom
beforeAll(async () => {
  ground = await layGround()
})
afterAll(() => ground.stop())
beforeEach(async () => {
  await ground.database.pool.query('TRUNCATE catalogs, deliveries, lanes')
  // A Feishu that refuses a second create of fields, which the other tests of catalogs meet as well as one that replaces.
  room = await catalogRoom(ground, (id) => new StrictFeishu({ customFieldsCreate: 'refuse_1002855' }, id))
})

const held = () => shown(room.feishu.account)
const renamed = { ...catalogOf(['a', 'b']), packages: [pkg('a', 'A'), pkg('b')] }

async function put(catalog: Parameters<CatalogRoom['want']>[0], how?: Parameters<CatalogRoom['want']>[1]) {
  const answer = await room.want(catalog, how)
  if (answer.kind !== 'wanted') throw new Error(JSON.stringify(answer))
  return answer
}
const deadOne = async () => (await room.rows()).find((row) => row.state === 'dead')?.id ?? ''

describe('a catalog that is wanted', () => {
  test('again while it is on its way makes no further call, and the answer names those that are', async () => {
    const first = await put(catalogOf(['a'], [], ['f']))
    const again = await put(catalogOf(['a'], [], ['f']))
    expect(again).toMatchObject({ plan: first.plan, deliveryIds: first.deliveryIds })
    await room.untilIdle()
    expect(room.feishu.calls).toEqual(['packages.create', 'custom_fields.create'])
  })

  test('takes the place of what waits without an attempt', async () => {
    await put(catalogOf(['a']))
    await put(catalogOf(['b'], [], ['f']))
    await room.untilIdle()
    expect(room.feishu.calls).toEqual(['packages.create', 'custom_fields.create'])
    expect(held()).toEqual(catalogOf(['b'], [], ['f']))
    expect(await room.states()).toEqual([
      'packages.create superseded',
      'packages.create delivered',
      'custom_fields.create delivered',
    ])
  })

  test('goes behind what was tried, as if that succeeded', async () => {
    await put(catalogOf(['a'], [], ['f']))
    await room.turn('lost_after')
    expect(await room.want(catalogOf(['a', 'b']), { dryRun: true })).toMatchObject({
      plan: [{ api: 'packages.create' }, { api: 'packages.create' }, { api: 'packages.batch_update' }],
    })
    await put(catalogOf(['a', 'b']))
    await room.untilIdle()
    expect(held()).toEqual(catalogOf(['a', 'b']))
  })

  test('keeps lists that are left out', async () => {
    await put(catalogOf(['a'], ['x'], ['f']))
    await put({ packages: [pkg('a', 'A')] })
    await room.untilIdle()
    expect(held()).toEqual({ ...catalogOf(['a'], ['x'], ['f']), packages: [pkg('a', 'A')] })
  })

  test('is kept by no dry run, no refusal and no missing word', async () => {
    await put(catalogOf(['a']))
    await room.untilIdle()
    const before = await room.row()
    await room.want(renamed, { dryRun: true })
    expect(await room.want(catalogOf([]))).toMatchObject({ kind: 'irreversible', plan: [{ irreversible: true }] })
    expect(await room.want(catalogOf(['a'], ['x']))).toMatchObject({ kind: 'refused' })
    expect(await room.row()).toEqual(before)
    expect(await room.turn()).toBe(false)
  })

  test('remembers the word that was given for it', async () => {
    await put(catalogOf(['a'], [], ['f']))
    await room.untilIdle()
    await put(catalogOf(['b']), { allow: true })
    expect(await room.want(catalogOf(['b']))).toMatchObject({ kind: 'wanted' })
    expect(await room.want(catalogOf(['c']))).toMatchObject({ kind: 'irreversible' })
  })
})

describe('a call that dies', () => {
  test('takes what waits behind it along, and the same catalog goes on from there', async () => {
    await put(catalogOf(['a', 'b'], [], ['f']))
    await room.turn('refused')
    expect(await room.states()).toEqual(['packages.create dead', 'custom_fields.create superseded'])
    expect(await room.row()).toMatchObject({
      state: 'failed',
      failure: { class: 'ours', message: expect.stringMatching(/^packages\.create: /) },
      known: { held: catalogOf([]) },
    })
    await put(catalogOf(['a', 'b'], [], ['f']))
    await room.untilIdle()
    expect(await room.row()).toMatchObject({ state: 'in_step', failure: null })
    expect(held()).toEqual(catalogOf(['a', 'b'], [], ['f']))
    expect(await deadOne()).toBe('')
  })

  test('is sent again by planning anew from what is known now', async () => {
    await put(catalogOf(['a'], [], ['f']))
    await room.turn()
    await room.turn('refused')
    const id = await deadOne()
    expect(await room.revive(id)).toMatchObject({ kind: 'revived' })
    expect(await room.revive(id)).toMatchObject({ kind: 'refused' })
    await room.untilIdle()
    expect(room.feishu.calls).toEqual(['packages.create', 'custom_fields.create'])
    expect(await room.row()).toMatchObject({ state: 'in_step' })
  })

  test('without a clear answer is asked about before anything else touches its set', async () => {
    await put(catalogOf(['a']))
    await room.turn('lost_after')
    await room.turn('expired')
    expect(await room.row()).toMatchObject({
      state: 'failed',
      failure: { class: 'unconfirmed' },
      known: { held: catalogOf([]), doubts: [{ about: 'taken', call: { api: 'packages.create' } }] },
    })
    room.feishu.calls.length = 0
    await put(catalogOf(['a', 'b']))
    await room.untilIdle()
    expect(room.feishu.calls).toEqual(['packages.batch_update', 'packages.create', 'packages.batch_update'])
    expect(held()).toEqual(catalogOf(['a', 'b']))
    expect((await room.row()).known.doubts).toEqual([])
  })

  test('and that deletes is repeated; what it named is never given again', async () => {
    await put(catalogOf(['a', 'b'], [], ['f']))
    await room.untilIdle()
    await put({ packages: [pkg('b')], custom_fields: [] }, { allow: true })
    await room.turn()
    await room.turn('lost_before')
    await room.turn('expired')
    expect((await room.row()).known).toMatchObject({ spent: { custom_fields: ['f'] }, held: { custom_fields: [] } })
    expect(await room.want({ custom_fields: [field('f')] }, { allow: true })).toMatchObject({
      kind: 'refused',
      complaints: [{ path: 'custom_fields.0.key', message: expect.stringMatching(/such as f_v2$/) }],
    })
    await put({ custom_fields: [field('f_v2')] }, { allow: true })
    await room.untilIdle()
    expect(held()).toEqual({ ...catalogOf(['b']), custom_fields: [field('f_v2')] })
  })
})

test('a call whose first attempt got no answer stays unclear, whatever the second one gets', async () => {
  await put(catalogOf(['a']))
  await room.turn('lost_after')
  await room.turn('refused')
  expect(await room.row()).toMatchObject({
    failure: { class: 'ours' },
    known: { doubts: [{ about: 'taken', call: { api: 'packages.create' } }] },
  })
  await put(catalogOf(['a']))
  await room.untilIdle()
  expect(await room.row()).toMatchObject({ state: 'in_step' })
})

describe('what the vendor offers', () => {
  test('goes as far as it can be undone, and waits with the rest for a word', async () => {
    await put(catalogOf(['a']))
    await room.untilIdle()
    expect(await room.offer(catalogOf(['b'], [], ['f']))).toMatchObject({ kind: 'taken' })
    expect(await room.row()).toMatchObject({ state: 'waiting', wantedBy: 'vendor' })
    await room.untilIdle()
    expect(await room.row()).toMatchObject({ state: 'waiting' })
    expect(held()).toEqual(catalogOf(['a', 'b'], [], ['f']))
    await put(catalogOf(['b'], [], ['f']), { allow: true })
    await room.untilIdle()
    expect(held()).toEqual(catalogOf(['b'], [], ['f']))
  })

  test('is wanted once: an operator’s catalog after it stands until the vendor says another', async () => {
    await room.offer(catalogOf(['a']))
    await put(renamed)
    await room.untilIdle()
    expect(await room.offer(catalogOf(['a']))).toEqual({ kind: 'unchanged' })
    expect(await room.row()).toMatchObject({ wanted: renamed, wantedBy: 'operator' })
    expect(await room.offer(catalogOf(['a', 'b', 'c']))).toMatchObject({ kind: 'taken' })
  })

  test('and does not fit leaves everything, fails and says why', async () => {
    await put(catalogOf(['a']))
    await room.untilIdle()
    expect(await room.offer({ packages: [{ id: 'canary'.repeat(7), name: 'A' }] })).toMatchObject({ kind: 'refused' })
    const row = await room.row()
    expect(row).toMatchObject({ state: 'failed', wanted: catalogOf(['a']), failure: { class: 'vendor' } })
    expect(row.failure?.message).toMatch(/packages\.0\.id: expected/)
    expect(row.failure?.message).not.toContain('canary')
    expect(await room.offer(renamed)).toMatchObject({ kind: 'taken' })
    expect(await room.row()).toMatchObject({ state: 'syncing', failure: null })
  })

  test.each([
    ['in a thousand places', Array.from({ length: 1000 }, () => ({ id: 5 }))],
    ['in a list of lists without an end', JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`)],
  ])('and is wrong %s says so in few words', async (_where, packages: unknown) => {
    expect(await room.offer({ packages })).toMatchObject({ kind: 'refused' })
    const { failure } = await room.row()
    expect(failure?.message).toMatch(/packages\.0(\.id)?: expected/)
    expect(failure?.message.length).toBeLessThan(1000)
  })
})

test('calls that no key opens hold up neither what is before them nor another catalog', async () => {
  await put(catalogOf(['a'], [], ['f']))
  const spoil = `UPDATE deliveries SET body_sealed = body_sealed || '\\x00' WHERE state = 'pending' AND due_at IS NULL`
  expect((await ground.database.pool.query(spoil)).rowCount).toBe(1)
  await room.turn()
  expect(await room.row()).toMatchObject({ known: { held: { packages: [pkg('a')] } } })
  await put(catalogOf(['a', 'b']))
  await room.untilIdle()
  expect(held()).toEqual(catalogOf(['a', 'b']))
  expect(await room.row()).toMatchObject({ state: 'in_step' })
})

test('new names of fields go while deletes wait for a word', async () => {
  await put(catalogOf(['a'], [], ['f']))
  await room.untilIdle()
  await room.offer(catalogOf(['b'], [], ['f']))
  const named = field('f', { name: { en_us: 'F' } })
  expect(await room.patch({ custom_field_list: [named] })).toMatchObject({ kind: 'wanted' })
  await room.untilIdle()
  expect(held()).toEqual({ ...catalogOf(['a', 'b']), custom_fields: [named] })
  expect(await room.row()).toMatchObject({ state: 'waiting' })
})

test('what was in Feishu before this service is adopted instead of created', async () => {
  const before = catalogOf(['a', 'b'], ['x'], ['f'])
  const { packages, additionalItems, customFields } = room.feishu.account
  packages.push(...before.packages)
  additionalItems.push(...before.additional_items)
  customFields.push(...bodies['custom_fields.create'].shape.custom_field_list.parse(before.custom_fields))
  await put(before, { adopt: true })
  await room.untilIdle()
  expect(await room.row()).toMatchObject({ state: 'in_step', known: { held: before } })
  expect(room.feishu.calls).toEqual(['packages.batch_update', 'custom_fields.create', 'custom_fields.batch_update'])
})

test('a Feishu that replaces is found out by the first create that adds, and mended by itself', async () => {
  room = await catalogRoom(ground, (id) => new StrictFeishu({ packagesCreate: 'replace' }, id))
  await put(catalogOf(['a'], ['x']))
  await room.untilIdle()
  await put(catalogOf(['a', 'b'], ['x']))
  await room.untilIdle()
  expect(held()).toEqual(catalogOf(['a', 'b'], ['x']))
  expect(await room.row()).toMatchObject({ state: 'in_step', failure: null, known: { appends: false } })
  await put(catalogOf(['a', 'b', 'c'], ['x']))
  await room.untilIdle()
  expect(room.feishu.calls).toEqual([
    'packages.create',
    'packages.create',
    'packages.batch_update',
    'packages.create',
    'packages.create',
  ])
  expect(held()).toEqual(catalogOf(['a', 'b', 'c'], ['x']))
})

test('what waits when Feishu turns out to replace is planned anew, deletes as well', async () => {
  room = await catalogRoom(ground, (id) => new StrictFeishu({ packagesCreate: 'replace' }, id))
  await put(catalogOf(['a']))
  await room.untilIdle()
  await put(catalogOf(['a', 'b', 'c']))
  await room.turn()
  await put(catalogOf([]), { allow: true })
  await room.untilIdle()
  expect(held()).toEqual(catalogOf([]))
})

test('that Feishu appends is found out once for all accounts', async () => {
  await put(catalogOf(['a']))
  await put(catalogOf(['a', 'b']))
  await room.untilIdle()
  await put(catalogOf(['a', 'b', 'c']))
  await room.untilIdle()
  const other = await catalogRoom(ground, (id) => new StrictFeishu({}, id))
  await other.want(catalogOf(['a']))
  await other.untilIdle()
  await other.want(catalogOf(['a', 'b']))
  await other.untilIdle()
  expect(other.feishu.calls).toEqual(['packages.create', 'packages.create'])
})

test('two operators at once make one catalog of it', async () => {
  const answers = await Promise.all([put(catalogOf(['a'])), put(catalogOf(['a'])), put(catalogOf(['a']))])
  expect(new Set(answers.map((answer) => answer.deliveryIds.join())).size).toBe(1)
  await room.untilIdle()
  expect(room.feishu.calls).toEqual(['packages.create'])
})
