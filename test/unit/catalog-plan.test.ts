import { describe, expect, test } from 'vitest'
import { afterDelivered, afterLost, afterRefused, type Known, nothingKnown } from '../../src/flow/catalog/known.js'
import { planCatalog } from '../../src/flow/catalog/plan.js'
import { propose } from '../../src/flow/catalog/propose.js'
import { readRelabeling } from '../../src/flow/catalog/relabel.js'
import { type Catalog, type CatalogCall, read, someCatalogShape } from '../../src/flow/catalog/shapes.js'
import { readVendorCatalog } from '../../src/flow/catalog/vendor-words.js'
import { accountId, catalogOf, field, pkg } from '../support/catalog.js'

const plan = (known: Known, wanted: Catalog) => planCatalog(accountId, known, wanted)
const apisOf = (known: Known, wanted: Catalog) => plan(known, wanted).steps.map((step) => step.content.api)
const callsOf = (known: Known, wanted: Catalog) => plan(known, wanted).steps.map((step) => step.content)

/** What Feishu holds after a catalog was put without trouble, with creates that are known to append. */
function holding(catalog: Catalog, appends: boolean | null = true): Known {
  const known = { ...nothingKnown(), appends }
  return plan(known, catalog).steps.reduce((before, { content }) => afterDelivered(before, content), known)
}

const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`)
const idsIn = (call: CatalogCall | undefined) =>
  call !== undefined && 'package_list' in call.body
    ? [call.body.package_list.map(({ id }) => id), (call.body.additional_item_list ?? []).map(({ id }) => id)]
    : null

describe('packages', () => {
  test('that are new are created in one call, with the items', () => {
    expect(callsOf(nothingKnown(), catalogOf(['a', 'b'], ['x']))).toEqual([
      {
        api: 'packages.create',
        body: { account_id: accountId, package_list: [pkg('a'), pkg('b')], additional_item_list: [pkg('x')] },
      },
    ])
  })

  test('that are there as they should be need no call, in whatever order they are', () => {
    const held = holding(catalogOf(['a', 'b'], ['x', 'y'], ['f']))
    expect(plan(held, catalogOf(['b', 'a'], ['y', 'x'], ['f']))).toEqual({ steps: [], complaints: [] })
  })

  test('that are called differently go with all others in one update', () => {
    const held = holding(catalogOf(['a', 'b'], ['x']))
    const wanted = { ...catalogOf(['a', 'b'], ['x']), packages: [pkg('a'), { ...pkg('b'), description: 'new' }] }
    expect(callsOf(held, wanted)).toEqual([
      {
        api: 'packages.batch_update',
        body: { account_id: accountId, package_list: wanted.packages, additional_item_list: [pkg('x')] },
      },
    ])
  })

  test('are named again after an update without a clear answer, also when the next update was refused', () => {
    const first = catalogOf(['a', 'b'])
    const held = holding(first)
    const [update] = callsOf(held, { ...first, packages: [pkg('a'), { ...pkg('b'), name: 'other' }] })
    if (update === undefined) throw new Error('no update')
    const unclear = afterRefused(afterLost(held, update), update)
    expect(apisOf(unclear, first)).toEqual(['packages.batch_update'])
  })

  test('come before others go, and those go with their items in one call', () => {
    const held = holding(catalogOf(['a', 'b'], ['x', 'y']))
    expect(callsOf(held, catalogOf(['b', 'c'], ['y']))).toEqual([
      { api: 'packages.create', body: { account_id: accountId, package_list: [pkg('c')] } },
      {
        api: 'packages.batch_delete',
        body: { account_id: accountId, package_id_list: ['a'], additional_item_id_list: ['x'] },
      },
    ])
    expect(plan(held, catalogOf(['b', 'c'], ['y'])).steps.map((step) => step.irreversible)).toEqual([false, true])
  })

  test('may all go', () => {
    expect(apisOf(holding(catalogOf(['a'])), catalogOf([]))).toEqual(['packages.batch_delete'])
  })

  test('more than fifty go in calls of fifty, each with a package', () => {
    const created = callsOf({ ...nothingKnown(), appends: true }, catalogOf(numbered('p', 51), numbered('i', 120)))
    expect(created.map(idsIn)).toEqual([
      [numbered('p', 17), numbered('i', 50)],
      [numbered('p', 34).slice(17), numbered('i', 100).slice(50)],
      [numbered('p', 51).slice(34), numbered('i', 120).slice(100)],
    ])
    const held = holding(catalogOf(numbered('p', 51), numbered('i', 120)))
    const renamed = { ...catalogOf(numbered('p', 51), numbered('i', 120)) }
    renamed.packages = renamed.packages.map((item) => ({ ...item, name: 'N' }))
    expect(callsOf(held, renamed).map((call) => idsIn(call)?.map((ids) => ids.length))).toEqual([
      [50, 50],
      [1, 50],
      [1, 20],
    ])
    expect(callsOf(held, catalogOf([])).map((call) => call.body)).toMatchObject([
      { package_id_list: numbered('p', 50) },
      { package_id_list: ['p50'], additional_item_id_list: numbered('i', 50) },
      { additional_item_id_list: numbered('i', 100).slice(50) },
      { additional_item_id_list: numbered('i', 120).slice(100) },
    ])
  })

  test('that were deleted are refused with another id, and so are items', () => {
    const held = holding(catalogOf(['a', 'a_v2', 'b'], ['x', 'y']))
    const [step] = plan(held, catalogOf(['a_v2', 'b'], ['y'])).steps
    const known = step === undefined ? held : afterDelivered(held, step.content)
    expect(plan(known, catalogOf(['b', 'a', 'a_v2'], ['x', 'y'])).complaints).toEqual([
      { path: 'packages.1.id', message: expect.stringMatching(/such as a_v3$/) },
      { path: 'additional_items.0.id', message: expect.stringMatching(/such as x_v2$/) },
    ])
  })

  test('of which none is new take no new items: one needs a new id', () => {
    const held = holding(catalogOf(['a'], ['x']))
    expect(plan(held, catalogOf(['a'], ['x', 'y']))).toEqual({
      steps: [],
      complaints: [{ path: 'additional_items', message: expect.stringMatching(/such as a_v2$/) }],
    })
    expect(apisOf(held, catalogOf(['a', 'b'], ['x', 'y']))).toEqual(['packages.create'])
  })

  test('have to be there where there are items', () => {
    expect(plan(nothingKnown(), catalogOf([], ['x'])).complaints).toMatchObject([{ path: 'additional_items' }])
  })

  test('that are added to others are shown to have left them, the first time only', () => {
    const held = holding(catalogOf(['a']), null)
    expect(apisOf(held, catalogOf(['a', 'b']))).toEqual(['packages.create', 'packages.batch_update'])
    expect(apisOf(holding(catalogOf(['a', 'b']), null), catalogOf(['c']))).toEqual([
      'packages.create',
      'packages.batch_delete',
    ])
    expect(apisOf(holding(catalogOf(['a'])), catalogOf(['a', 'b']))).toEqual(['packages.create'])
  })

  test('are created all together where Feishu is known to replace them', () => {
    const held = holding(catalogOf(['a'], ['x']), false)
    expect(callsOf(held, catalogOf(['b'], ['x', 'y'])).map(idsIn)).toEqual([
      [
        ['a', 'b'],
        ['x', 'y'],
      ],
      null,
    ])
    expect(plan(held, catalogOf(['a', ...numbered('p', 50)], ['x'])).complaints).toMatchObject([{ path: 'packages' }])
  })
})

describe('fields', () => {
  test('change names and descriptions in one update, in the order and length that Feishu has', () => {
    const held = holding(catalogOf([], [], ['f', 'g']))
    const custom_fields = [field('f', { name: { en_us: 'F' } }), field('g', { description: { zh_cn: 'd' } })]
    expect(callsOf(held, { ...catalogOf([]), custom_fields })).toEqual([
      { api: 'custom_fields.batch_update', body: { account_id: accountId, custom_field_list: custom_fields } },
    ])
  })

  test.each([
    ['one is added', [field('f_v2'), field('g_v2'), field('h')]],
    ['one goes', [field('f_v2')]],
    ['the order is another', [field('g_v2'), field('f_v2')]],
    ['a type is another', [field('f_v2', { type: 'number' }), field('g_v2')]],
    ['one is required', [field('f_v2', { is_required: true }), field('g_v2')]],
    ['options are others', [field('f_v2', { type: 'select', options: [{ key: 'o', name: {} }] }), field('g_v2')]],
  ])('are deleted and created anew when %s', (_what, custom_fields) => {
    const held = holding(catalogOf([], [], ['f', 'g']))
    const { steps } = plan(held, { ...catalogOf([]), custom_fields })
    expect(steps.map(({ content, irreversible }) => [content.api, irreversible])).toEqual([
      ['custom_fields.batch_delete', true],
      ['custom_fields.create', true],
    ])
  })

  test('that would be created anew need keys that never were there, each with a proposal', () => {
    const held = holding(catalogOf([], [], ['f', 'f_v2', 'g']))
    expect(plan(held, catalogOf([], [], ['f', 'f_v2', 'g', 'h'])).complaints).toEqual([
      { path: 'custom_fields.0.key', message: expect.stringMatching(/such as f_v3$/) },
      { path: 'custom_fields.1.key', message: expect.stringMatching(/such as f_v4$/) },
      { path: 'custom_fields.2.key', message: expect.stringMatching(/such as g_v2$/) },
    ])
  })

  test('whose create has no clear answer are created again as they were, or deleted where others are wanted', () => {
    const create: CatalogCall = {
      api: 'custom_fields.create',
      body: { account_id: accountId, custom_field_list: [field('f')] },
    }
    const known = afterLost(nothingKnown(), create)
    expect(plan(known, catalogOf([], [], ['f'])).steps).toMatchObject([{ content: create, probe: true }])
    expect(plan(known, catalogOf([], [], ['g'])).steps).toMatchObject([
      { content: { api: 'custom_fields.batch_delete' }, probe: true, irreversible: true },
      { content: { api: 'custom_fields.create' }, probe: false, irreversible: true },
    ])
    expect(plan(known, catalogOf([], [], ['g', 'f'])).complaints).toMatchObject([{ path: 'custom_fields.1.key' }])
  })
})

test('a proposal is the next version that nothing has, no longer than Feishu takes', () => {
  expect(propose('degree', new Set(), 100)).toBe('degree_v2')
  expect(propose('degree_v2', new Set(['degree_v3']), 100)).toBe('degree_v4')
  expect(propose('x'.repeat(36), new Set(), 36)).toBe(`${'x'.repeat(33)}_v2`)
  expect(propose('_v1', new Set(), 36)).toBe('_v2')
})

describe('what does not fit', () => {
  test('is said all at once, by path and without what came', () => {
    const asked = read(someCatalogShape, {
      packages: [pkg('x'.repeat(37)), { id: 'a', name: 'x'.repeat(101), price: 'canary' }, { id: 'a', name: '' }],
      custom_fields: [
        { type: 'select', key: 'k', name: {}, is_required: 'canary' },
        { ...field('k'), options: [], type: 'canary' },
        field('l', { type: 'multiselect', options: [] }),
        field('m', {
          type: 'select',
          options: [
            { key: 'o', name: { en_us: 'o' } },
            { key: 'o', name: { en_us: 'p' } },
          ],
        }),
      ],
      canary: [],
    })
    const paths = asked.kind === 'misfit' ? asked.complaints.map((each) => each.path) : []
    expect(paths.toSorted()).toEqual([
      'canary',
      'custom_fields.0.is_required',
      'custom_fields.0.name',
      'custom_fields.0.options',
      'custom_fields.1.key',
      'custom_fields.1.options',
      'custom_fields.1.type',
      'custom_fields.2.options',
      'custom_fields.3.options.1.key',
      'packages.0.id',
      'packages.1.name',
      'packages.1.price',
      'packages.2.id',
      'packages.2.name',
    ])
    const messages = asked.kind === 'misfit' ? asked.complaints.map((each) => each.message).join() : ''
    expect(messages).not.toContain('canary')
  })

  test('is an empty catalog, and what PostgreSQL cannot keep', () => {
    expect(read(someCatalogShape, {}).kind).toBe('misfit')
    expect(read(someCatalogShape, { packages: [{ id: 'a', name: 'b', description: '\0' }] }).kind).toBe('misfit')
    expect(read(someCatalogShape, { packages: [{ id: 'a', name: '\uD800' }] }).kind).toBe('misfit')
  })
})

describe('a vendor’s catalog', () => {
  test('may say more than has a meaning, and null for what it leaves out', () => {
    const said = {
      packages: [{ id: 'a', name: 'A', description: null, price: 12 }],
      custom_fields: [{ ...field('f'), options: null, hint: 'h' }],
      additional_items: null,
      version: 3,
    }
    expect(readVendorCatalog(said)).toEqual({
      kind: 'ok',
      value: { packages: [{ id: 'a', name: 'A' }], custom_fields: [field('f')] },
    })
  })

  test('that says nothing asks for nothing, and one that does not fit is refused', () => {
    expect(readVendorCatalog({ packages: null, version: 3 })).toBeNull()
    expect(readVendorCatalog({ packages: 'none' })).toMatchObject({ kind: 'misfit' })
  })
})

describe('new names of fields', () => {
  const stored = [field('f'), field('g', { type: 'select', options: [{ key: 'o', name: { en_us: 'O' } }] })]
  const complaintsOf = (custom_field_list: unknown) => {
    const answer = readRelabeling(stored, { custom_field_list })
    return answer.kind === 'misfit' ? answer.complaints.map((each) => each.path) : []
  }

  test('are taken when all else is as it was', () => {
    const named = stored.map((each) => ({ ...each, name: { en_us: 'New' }, description: {} }))
    expect(readRelabeling(stored, { custom_field_list: named })).toEqual({ kind: 'ok', value: named })
  })

  test('of which anything else differs are refused with every difference', () => {
    const list = 'custom_field_list'
    expect(complaintsOf([...stored, field('h')])).toEqual([list, `${list}.2.key`])
    expect(complaintsOf([stored[0]])).toEqual([list, list])
    expect(complaintsOf(stored.toReversed())).toEqual([`${list}.0.key`, `${list}.1.key`])
    expect(
      complaintsOf([
        { ...stored[0], type: 'number', is_required: true, name: { en_us: '' } },
        { type: 'select', key: 'g', name: { en_us: 'G' }, is_required: false, more: 1 },
      ]).toSorted(),
    ).toEqual([
      `${list}.0.is_required`,
      `${list}.0.name`,
      `${list}.0.type`,
      `${list}.1.more`,
      `${list}.1.options`,
      `${list}.1.options`,
    ])
  })

  test('of an account without fields are refused', () => {
    expect(readRelabeling([], { custom_field_list: [] })).toMatchObject({ kind: 'misfit' })
  })
})
