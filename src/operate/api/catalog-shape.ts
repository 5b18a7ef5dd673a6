import { isDeepStrictEqual } from 'node:util'
import { planCatalog } from '../../flow/catalog/plan.js'
import { lookAtRow } from '../../flow/catalog/rows.js'
import type { Catalog } from '../../flow/catalog/shapes.js'
import type { Database } from '../../platform/database/database.js'
import { failureOf, timeOf } from './shapes.js'

/** What an account's catalog is in Feishu, what it should be, and what lies between; `null`: nobody has said anything. */
export async function showCatalog({ pool }: Database, accountId: string): Promise<object | null> {
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

function differenceOf(held: Catalog, wanted: Catalog): object {
  const byId = ({ id }: { id: string }) => id
  const byKey = ({ key }: { key: string }) => key
  return {
    packages: between(held.packages, wanted.packages, byId),
    additional_items: between(held.additional_items, wanted.additional_items, byId),
    custom_fields: between(held.custom_fields, wanted.custom_fields, byKey),
  }
}

function between<T>(held: readonly T[], wanted: readonly T[], nameOf: (each: T) => string): object {
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
