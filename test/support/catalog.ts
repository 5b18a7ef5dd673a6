import fc from 'fast-check'
import type { Known } from '../../src/flow/catalog/known.js'
import { planCatalog } from '../../src/flow/catalog/plan.js'
import type { Catalog, CatalogCall, Complaint } from '../../src/flow/catalog/shapes.js'
import type { CatalogItem, OrderField } from '../../src/flow/map.js'
import type { Answer } from '../../src/sandbox/feishu/answers.js'
import { bodies } from '../../src/sandbox/feishu/bodies.js'
import { type SandboxAccount, Catalog as SandboxCatalog } from '../../src/sandbox/feishu/catalog.js'
import { newAccount } from '../../src/sandbox/feishu/inputs.js'
import { defaultSwitches, type Switches } from '../../src/sandbox/feishu/switches.js'

export const accountId = '7400000000000000101'
export const caller = { appId: 'cli_a', tenantKey: 'tk_a' }

export const pkg = (id: string, name = `Package ${id}`): CatalogItem => ({ id, name })
export const field = (key: string, more: Partial<OrderField> = {}): OrderField => ({
  type: 'text',
  key,
  name: { zh_cn: key },
  is_required: false,
  ...more,
})
export const catalogOf = (packages: string[], items: string[] = [], fields: string[] = []): Catalog => ({
  packages: packages.map((id) => pkg(id)),
  additional_items: items.map((id) => pkg(id)),
  custom_fields: fields.map((key) => field(key)),
})

/** The values of the sandbox's switches that the catalog meets. */
export const settings: ReadonlyArray<Pick<Switches, 'customFieldsCreate' | 'packagesCreate'>> = (
  ['replace', 'refuse_1002855'] as const
).flatMap((customFieldsCreate) =>
  (['append', 'replace'] as const).map((packagesCreate) => ({ customFieldsCreate, packagesCreate })),
)

/** The sandbox's own catalog of one account, without a network. What it was given twice after a delete is kept. */
export class StrictFeishu {
  readonly account: SandboxAccount
  readonly reused: string[] = []
  readonly calls: CatalogCall['api'][] = []
  readonly #catalog: SandboxCatalog

  constructor(switches: Partial<Switches> = {}, id = accountId) {
    this.account = newAccount({ ...caller, accountName: 'Company' }, id)
    this.#catalog = new SandboxCatalog({ ...defaultSwitches(), ...switches })
    this.#catalog.add(this.account)
  }

  take({ api, body }: CatalogCall): Answer {
    this.calls.push(api)
    const catalog = this.#catalog
    switch (api) {
      case 'packages.create':
        this.#watch(
          body.package_list.map(({ id }) => id),
          this.account.deletedPackages,
        )
        this.#watch(
          (body.additional_item_list ?? []).map(({ id }) => id),
          this.account.deletedAdditionalItems,
        )
        return catalog.createPackages(caller, bodies[api].parse(body))
      case 'packages.batch_update':
        return catalog.updatePackages(caller, bodies[api].parse(body))
      case 'packages.batch_delete':
        return catalog.deletePackages(caller, bodies[api].parse(body))
      case 'custom_fields.create':
        this.#watch(
          body.custom_field_list.map(({ key }) => key),
          this.account.deletedFieldKeys,
        )
        return catalog.createFields(caller, bodies[api].parse(body))
      case 'custom_fields.batch_update':
        return catalog.updateFields(caller, bodies[api].parse(body))
      case 'custom_fields.batch_delete':
        return catalog.deleteFields(caller, bodies[api].parse(body))
    }
  }

  #watch(given: string[], deleted: string[]): void {
    this.reused.push(...given.filter((id) => deleted.includes(id)))
  }
}

/** The account as a catalog; packages and items in the order of their ids, since no call orders them. */
export function shown(account: SandboxAccount): Catalog {
  return sortedCatalog({
    packages: account.packages as CatalogItem[],
    additional_items: account.additionalItems as CatalogItem[],
    custom_fields: account.customFields as OrderField[],
  })
}

export function sortedCatalog(catalog: Catalog): Catalog {
  const byId = (items: CatalogItem[]) => items.toSorted((one, other) => one.id.localeCompare(other.id))
  return { ...catalog, packages: byId(catalog.packages), additional_items: byId(catalog.additional_items) }
}

/** The question whether the set of a create is there (contract §3.11). */
export function asUpdate(call: CatalogCall): CatalogCall {
  if (call.api === 'packages.create') return { api: 'packages.batch_update', body: call.body }
  if (call.api === 'custom_fields.create') return { api: 'custom_fields.batch_update', body: call.body }
  return call
}

/** What a person does with complaints that propose another id: takes it, until there are none. */
export function mended(id: string, known: Known, wanted: Catalog): Catalog {
  let catalog = wanted
  for (let round = 0; round < 9; round += 1) {
    const { complaints } = planCatalog(id, known, catalog)
    if (complaints.length === 0) return catalog
    catalog = complaints.reduce(mend, catalog)
  }
  throw new Error(`the proposals do not lead out: ${JSON.stringify(planCatalog(id, known, catalog).complaints)}`)
}

export function mend(catalog: Catalog, { path, message }: Complaint): Catalog {
  const proposed = /such as (\S+)$/.exec(message)?.[1]
  if (path === 'additional_items' && proposed === undefined) return { ...catalog, additional_items: [] }
  const [list = '', at = ''] = path === 'additional_items' ? ['packages', '0'] : path.split('.')
  const replace = <T extends { id?: string; key?: string }>(items: T[], by: 'id' | 'key') =>
    items.map((item, index) => (index === Number(at) ? { ...item, [by]: proposed } : item))
  if (list === 'custom_fields') return { ...catalog, custom_fields: replace(catalog.custom_fields, 'key') }
  if (list === 'additional_items') return { ...catalog, additional_items: replace(catalog.additional_items, 'id') }
  return { ...catalog, packages: replace(catalog.packages, 'id') }
}

const label = fc.constantFrom('one', 'two')
const someItems = (prefix: string, most: number) =>
  fc
    .uniqueArray(fc.integer({ min: 1, max: most }), { maxLength: most })
    .chain((ids) => fc.tuple(...ids.map((id) => label.map((name) => pkg(`${prefix}${id}`, name)))))

const someField = (key: string) =>
  fc
    .record({ type: fc.constantFrom('text', 'select'), name: label, is_required: fc.boolean() })
    .map(({ type, name, is_required }) =>
      field(key, {
        type,
        is_required,
        name: { en_us: name },
        ...(type === 'select' && { options: [{ key: 'o', name: { en_us: 'O' } }] }),
      }),
    )

/** Small, so that ids meet again and again. */
export const someCatalog: fc.Arbitrary<Catalog> = fc.record({
  packages: someItems('p', 3),
  additional_items: someItems('i', 2),
  custom_fields: fc.subarray(['f1', 'f2', 'f3']).chain((keys) => fc.tuple(...keys.map(someField))),
})
