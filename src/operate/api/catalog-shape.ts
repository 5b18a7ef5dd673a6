import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { planCatalog } from '../../flow/catalog/plan.js'
import { type CatalogState, lookAtRow } from '../../flow/catalog/rows.js'
import { type Catalog, fieldTypes } from '../../flow/catalog/shapes.js'
import type { Database } from '../../platform/database/database.js'
import { failure, failureOf, listed, time, timeOf } from './shapes.js'

const states = ['in_step', 'syncing', 'waiting', 'failed'] as const satisfies CatalogState[]

const label = z.object({ zh_cn: z.string().optional(), en_us: z.string().optional() })
const item = z
  .object({ id: z.string(), name: z.string(), description: z.string().optional() })
  .meta({ id: 'CatalogItem', description: 'A package or an additional item, as Feishu has it' })
const field = z
  .object({
    type: listed(fieldTypes),
    key: z.string(),
    name: label,
    is_required: z.boolean(),
    description: label.optional(),
    options: z.array(z.object({ key: z.string(), name: label })).optional(),
  })
  .meta({ id: 'OrderField', description: 'A field of the order form, as Feishu has it' })
const catalog = z
  .object({ packages: z.array(item), additional_items: z.array(item), custom_fields: z.array(field) })
  .meta({ id: 'Catalog' })
const names = z.array(z.string())
const change = z.object({ added: names, changed: names, removed: names }).meta({ id: 'CatalogChange' })

export const planLine = z
  .object({ api: z.string(), summary: z.string(), irreversible: z.boolean() })
  .meta({ id: 'PlanLine', description: 'A call to Feishu, as people are shown it' })

export const catalogShown = z
  .object({
    state: listed(states),
    wanted_by: listed(['vendor', 'operator']).nullable(),
    wanted: catalog.nullable().meta({ description: 'How it should be' }),
    held: catalog.meta({ description: 'What Feishu has confirmed' }),
    difference: z.object({ packages: change, additional_items: change, custom_fields: change }),
    plan: z.array(planLine).meta({ description: 'The calls that are left, those under way included' }),
    unclear: z.array(z.string()).meta({ description: 'Calls that ended without a clear answer' }),
    spent: z
      .object({ packages: names, additional_items: names, custom_fields: names })
      .meta({ description: 'Ids and keys that were deleted, or may have been: Feishu never takes them again' }),
    failure: failure.optional(),
    updated_at: time,
  })
  .meta({ id: 'AccountCatalog', description: 'What Feishu shows of the vendor in an account' })

type Shown = z.output<typeof catalogShown>

/** What an account's catalog is in Feishu, what it should be, and what lies between; `null`: nobody has said anything. */
export async function showCatalog({ pool }: Database, accountId: string): Promise<Shown | null> {
  const found = await lookAtRow(pool, accountId)
  if (found === null) return null
  const { wanted, known, state, wantedBy, failure } = found.row
  const plan = wanted === null ? [] : planCatalog(accountId, known, wanted).steps
  return {
    state,
    wanted_by: wantedBy,
    wanted,
    held: known.held,
    difference: differenceOf(known.held, wanted ?? known.held),
    plan: plan.map(({ content, summary, irreversible }) => ({ api: content.api, summary, irreversible })),
    unclear: known.doubts.filter(({ about }) => about === 'taken').map(({ call }) => call.api),
    spent: known.spent,
    ...failureOf(failure),
    updated_at: timeOf(found.updatedAt),
  }
}

function differenceOf(held: Catalog, wanted: Catalog): Shown['difference'] {
  const byId = ({ id }: { id: string }) => id
  const byKey = ({ key }: { key: string }) => key
  return {
    packages: between(held.packages, wanted.packages, byId),
    additional_items: between(held.additional_items, wanted.additional_items, byId),
    custom_fields: between(held.custom_fields, wanted.custom_fields, byKey),
  }
}

function between<T>(held: readonly T[], wanted: readonly T[], nameOf: (each: T) => string): z.output<typeof change> {
  const before = new Map(held.map((each) => [nameOf(each), each]))
  const after = new Set(wanted.map(nameOf))
  const changed = wanted.filter(
    (each) => before.has(nameOf(each)) && !isDeepStrictEqual(before.get(nameOf(each)), each),
  )
  return {
    added: wanted.map(nameOf).filter((name) => !before.has(name)),
    changed: changed.map(nameOf),
    removed: held.map(nameOf).filter((name) => !after.has(name)),
  }
}
