import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  afterDelivered,
  afterLost,
  type FormCall,
  type KnownForm,
  nothingKnown,
} from '../../src/flow/catalog/binding-form/known.js'
import { planForm } from '../../src/flow/catalog/binding-form/plan.js'
import type { AccountField } from '../../src/flow/map.js'
import { AccountFields } from '../../src/sandbox/feishu/account-fields.js'
import { bodies } from '../../src/sandbox/feishu/bodies.js'

const field = (key: string, more: Partial<AccountField> = {}): AccountField => ({
  key,
  name: { zh_cn: key },
  is_required: true,
  ...more,
})
const form = (...keys: string[]) => keys.map((key) => field(key))
const holding = (...keys: string[]): KnownForm => ({ ...nothingKnown(), held: form(...keys) })
const marks = (known: KnownForm, wanted: AccountField[]) =>
  planForm(known, wanted).steps.map(({ content, irreversible }) => `${content.api}${irreversible ? ' for ever' : ''}`)

test('a form that is not there is created, and one that is there needs no call', () => {
  expect(marks(nothingKnown(), form('a'))).toEqual(['account_custom_fields.create'])
  expect(marks(holding('a', 'b'), form('a', 'b'))).toEqual([])
})

test('names and descriptions are updated, all together', () => {
  const wanted = [field('a', { name: { en_us: 'A' } }), field('b')]
  expect(planForm(holding('a', 'b'), wanted).steps.map((step) => step.content)).toEqual([
    { api: 'account_custom_fields.batch_update', body: { scope: 1, custom_field_list: wanted } },
  ])
})

test('fields that only go are deleted for ever, after the others have their names', () => {
  expect(marks(holding('a', 'b', 'c'), form('a', 'c'))).toEqual(['account_custom_fields.batch_delete for ever'])
  expect(marks(holding('a', 'b'), [field('b', { description: { en_us: 'd' } })])).toEqual([
    'account_custom_fields.batch_update',
    'account_custom_fields.batch_delete for ever',
  ])
})

test.each([
  ['a field that comes', form('a', 'b', 'c'), ''],
  ['another order', form('b', 'a'), ''],
  ['a field that is required no more', [field('a', { is_required: false }), field('b')], ''],
  ['a field in the place of another', form('a', 'c'), ' for ever'],
  ['all other fields', form('c'), ' for ever'],
])('%s replaces the form in one call', (_what, wanted, lasting) => {
  expect(marks(holding('a', 'b'), wanted)).toEqual([`account_custom_fields.create${lasting}`])
})

test('an empty form and a deleted key are refused, the key with another one', () => {
  expect(planForm(holding('a'), []).complaints).toMatchObject([{ path: 'custom_field_list' }])
  const known = { ...holding('a'), spent: ['b'] }
  expect(planForm(known, form('a', 'b')).complaints).toEqual([
    { path: 'custom_field_list.1.key', message: expect.stringMatching(/such as b_v2$/) },
  ])
})

test('whatever was not clear is settled by the whole form', () => {
  const lost = planForm(holding('a', 'b'), form('a')).steps.reduce(
    (known, { content }) => afterLost(known, content),
    holding('a', 'b'),
  )
  expect(lost).toMatchObject({ held: form('a'), spent: ['b'] })
  expect(marks(lost, form('a'))).toEqual(['account_custom_fields.create'])
})

const caller = { appId: 'cli_a', tenantKey: 'tk_a' }
function take(feishu: AccountFields, { api, body }: FormCall): number {
  if (api === 'account_custom_fields.create') return feishu.create(caller, bodies[api].parse(body)).code
  if (api === 'account_custom_fields.batch_update') return feishu.update(caller, bodies[api].parse(body)).code
  return feishu.delete(caller, bodies[api].parse(body)).code
}

const someForm = fc
  .shuffledSubarray(['a', 'b', 'c', 'd'], { minLength: 1 })
  .chain((keys) =>
    fc.tuple(
      ...keys.map((key) =>
        fc
          .tuple(fc.constantFrom('one', 'two'), fc.boolean())
          .map(([name, is_required]) => field(key, { name: { en_us: name }, is_required })),
      ),
    ),
  )

function mended(known: KnownForm, wanted: AccountField[]): AccountField[] {
  const proposals = planForm(known, wanted).complaints.map(({ path, message }) => ({
    at: Number(path.split('.')[1]),
    key: /such as (\S+)$/.exec(message)?.[1] ?? '',
  }))
  return wanted.map((each, index) => ({ ...each, key: proposals.find(({ at }) => at === index)?.key ?? each.key }))
}

test('after any forms and lost answers Feishu holds the last form, and no key came again', () => {
  const someEnd = fc.constantFrom('taken', 'taken', 'lost_before', 'lost_after')
  fc.assert(
    fc.property(fc.array(fc.tuple(someForm, fc.array(someEnd, { maxLength: 4 })), { minLength: 1 }), (story) => {
      const feishu = new AccountFields()
      let known = nothingKnown()
      let wanted: AccountField[] = []
      const run = (ends: string[]) => {
        for (const { content } of planForm(known, wanted).steps) {
          const end = ends.shift() ?? 'taken'
          if (end !== 'lost_before' && take(feishu, content) !== 0 && end === 'taken') throw new Error(content.api)
          known = end === 'taken' ? afterDelivered(known, content) : afterLost(known, content)
          if (end !== 'taken') return
        }
      }
      for (const [asked, ends] of story) {
        wanted = mended(known, asked)
        run([...ends])
      }
      for (let round = 0; round < 5; round += 1) {
        wanted = mended(known, wanted)
        run([])
      }
      expect(feishu.list(caller, 1)).toEqual(wanted)
      expect(planForm(known, wanted).steps).toEqual([])
    }),
    { numRuns: 2000 },
  )
})
