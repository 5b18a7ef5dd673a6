import { isDeepStrictEqual } from 'node:util'
import type { CatalogItem, PackagesBody } from '../map.js'
import { type Catalog, type CatalogCall, emptyCatalog, nothingSpent, type Spent } from './shapes.js'

/**
 * `taken`: the call ended without a clear answer, it may have taken effect or not. `kept`: the create took effect, and
 * nothing has shown yet that Feishu left in place what was there before (contract §7.19).
 */
export interface Doubt {
  about: 'taken' | 'kept'
  call: CatalogCall
}

/** What Feishu is known to hold of an account, and what is not known. */
export interface Known {
  held: Catalog
  spent: Spent
  doubts: readonly Doubt[]
  /** Whether a create of packages leaves what was there before; `null` until Feishu has shown it. */
  appends: boolean | null
}

export const nothingKnown = (): Known => ({ held: emptyCatalog(), spent: nothingSpent(), doubts: [], appends: null })

type PackagesDelete = Extract<CatalogCall, { api: 'packages.batch_delete' }>

/** Feishu took a call. */
export function afterDelivered(known: Known, call: CatalogCall): Known {
  switch (call.api) {
    case 'packages.create':
      return afterCreate(settled(known, call), call, call.body)
    case 'packages.batch_update':
      return afterUpdate(settledUpdates(known, call.api), call, call.body)
    case 'packages.batch_delete':
      return withoutItems(settled(known, call), call)
    case 'custom_fields.create':
      return withFields(settled(known, call), call.body.custom_field_list)
    case 'custom_fields.batch_update':
      return withFields(settledUpdates(known, call.api), call.body.custom_field_list)
    case 'custom_fields.batch_delete':
      return withoutFields(settledFields(known), known)
  }
}

/** A call is dead and may have taken effect: what it deletes counts as gone and used up, and all else as not there. */
export function afterLost(known: Known, call: CatalogCall): Known {
  const doubts = [...settled(known, call).doubts, { about: 'taken' as const, call }]
  if (call.api === 'packages.batch_delete') return { ...withoutItems(known, call), doubts }
  if (call.api === 'custom_fields.batch_delete') return { ...withoutFields(known, known), doubts }
  return { ...known, doubts }
}

/**
 * A call is dead and took no effect, nor did an earlier one of the same: creates and deletes are asked about before they
 * are made again. An update is just made again, and says nothing about an earlier one.
 */
export function afterRefused(known: Known, call: CatalogCall): Known {
  if (call.api.endsWith('.batch_update')) return known
  // A whole set that is refused where creates were thought to replace: what showed that had another reason.
  const appends = call.api === 'packages.create' && known.appends === false ? null : known.appends
  return { ...settled(known, call), appends }
}

/**
 * Feishu refused an update of packages that it was believed to hold, after a create that had to show whether Feishu
 * appends: it replaced what was there. `null` when no create was waiting to show that.
 */
export function afterReplaced(known: Known): Known | null {
  const last = lastInDoubt(known)
  if (last?.api !== 'packages.create') return null
  const { package_list: packages, additional_item_list: additional_items = [] } = last.body
  const held = { ...known.held, packages, additional_items }
  return { ...withoutKept(known), held, appends: false }
}

/** Whether something that is wanted may have gone with a create that replaced what was there. */
export function mayLack(known: Known, wanted: Catalog): boolean {
  const last = lastInDoubt(known)
  if (last === undefined) return false
  const named = new Set(namesOf(last))
  const held = new Set(namesIn(known.held))
  return namesIn(wanted).some((name) => held.has(name) && !named.has(name))
}

/** Ids that are there, whether or not the latest create replaced the others; none where nothing is in doubt. */
export function lastCreated(known: Known): { packages: Set<string>; items: Set<string> } {
  const call = lastInDoubt(known)
  const body: PackagesBody | null = call !== undefined && 'package_list' in call.body ? call.body : null
  const idsOf = (items: readonly CatalogItem[] = []) => new Set(items.map((item) => item.id))
  return { packages: idsOf(body?.package_list), items: idsOf(body?.additional_item_list) }
}

/** The latest create of which nobody knows whether it left in place what was there. */
function lastInDoubt({ doubts }: Known): CatalogCall | undefined {
  return doubts.findLast((doubt) => doubt.about === 'kept')?.call
}

function withoutKept(known: Known): Known {
  return { ...known, doubts: known.doubts.filter((doubt) => doubt.about !== 'kept') }
}

function namesIn({ packages, additional_items }: Catalog): string[] {
  return [...packages.map(({ id }) => `package ${id}`), ...additional_items.map(({ id }) => `item ${id}`)]
}

/** What a call names: packages, items or fields. */
function namesOf({ body }: CatalogCall): string[] {
  const asPackages = (ids: readonly string[] = []) => ids.map((id) => `package ${id}`)
  const asItems = (ids: readonly string[] = []) => ids.map((id) => `item ${id}`)
  const idsOf = (items: readonly CatalogItem[] = []) => items.map((item) => item.id)
  if ('package_list' in body)
    return [...asPackages(idsOf(body.package_list)), ...asItems(idsOf(body.additional_item_list))]
  if ('custom_field_list' in body) return body.custom_field_list.map((field) => field.key)
  const { package_id_list, additional_item_id_list } = { package_id_list: [], additional_item_id_list: [], ...body }
  return [...asPackages(package_id_list), ...asItems(additional_item_id_list)]
}

export function isSameCall(one: CatalogCall, other: CatalogCall): boolean {
  return one.api === other.api && isDeepStrictEqual(namesOf(one), namesOf(other))
}

function settled(known: Known, call: CatalogCall): Known {
  const doubts = known.doubts.filter((doubt) => doubt.about !== 'taken' || !isSameCall(doubt.call, call))
  return { ...known, doubts }
}

/** An update says how everything is called: earlier ones do not count any more. */
function settledUpdates(known: Known, api: CatalogCall['api']): Known {
  return { ...known, doubts: known.doubts.filter((doubt) => doubt.call.api !== api) }
}

function settledFields(known: Known): Known {
  return { ...known, doubts: known.doubts.filter((doubt) => !doubt.call.api.startsWith('custom_fields.')) }
}

function afterCreate(known: Known, call: CatalogCall, body: PackagesBody): Known {
  const { package_list, additional_item_list = [] } = body
  const before = [...known.held.packages, ...known.held.additional_items].map((item) => item.id)
  if (known.appends === false || before.length === 0) {
    return { ...known, held: { ...known.held, packages: package_list, additional_items: additional_item_list } }
  }
  const held = {
    ...known.held,
    packages: merged(known.held.packages, package_list),
    additional_items: merged(known.held.additional_items, additional_item_list),
  }
  const doubts = known.appends === null ? [...known.doubts, { about: 'kept' as const, call }] : known.doubts
  return { ...known, held, doubts }
}

function afterUpdate(
  known: Known,
  call: CatalogCall,
  { package_list, additional_item_list = [] }: PackagesBody,
): Known {
  const held = {
    ...known.held,
    packages: relabeled(known.held.packages, package_list),
    additional_items: relabeled(known.held.additional_items, additional_item_list),
  }
  const last = lastInDoubt(known)
  const named = new Set(last === undefined ? [] : namesOf(last))
  const isShown = last !== undefined && namesOf(call).some((name) => !named.has(name))
  return isShown ? { ...withoutKept(known), held, appends: true } : { ...known, held }
}

function withoutItems(known: Known, call: PackagesDelete): Known {
  const { package_id_list: packages = [], additional_item_id_list: items = [] } = call.body
  const held = {
    ...known.held,
    packages: known.held.packages.filter((item) => !packages.includes(item.id)),
    additional_items: known.held.additional_items.filter((item) => !items.includes(item.id)),
  }
  const spent = {
    ...known.spent,
    packages: union(known.spent.packages, packages),
    additional_items: union(known.spent.additional_items, items),
  }
  const after = { ...known, held, spent }
  // Nothing is left that the create could have replaced.
  return mayLack(after, held) ? after : withoutKept(after)
}

function withFields(known: Known, custom_fields: Catalog['custom_fields']): Known {
  return { ...known, held: { ...known.held, custom_fields } }
}

/** The whole set goes, with the keys of a set that may have been there (contract §3.5). */
function withoutFields(known: Known, before: Known): Known {
  const doubtful = before.doubts.filter((doubt) => doubt.call.api === 'custom_fields.create')
  const keys = [
    ...before.held.custom_fields.map((field) => field.key),
    ...doubtful.flatMap((doubt) => namesOf(doubt.call)),
  ]
  const spent = { ...known.spent, custom_fields: union(known.spent.custom_fields, keys) }
  return { ...withFields(known, []), spent }
}

function merged(held: readonly CatalogItem[], created: readonly CatalogItem[]): CatalogItem[] {
  const ids = new Set(created.map((item) => item.id))
  return [...held.filter((item) => !ids.has(item.id)), ...created]
}

function relabeled(held: readonly CatalogItem[], given: readonly CatalogItem[]): CatalogItem[] {
  const byId = new Map(given.map((item) => [item.id, item]))
  return held.map((item) => byId.get(item.id) ?? item)
}

function union(some: readonly string[], others: readonly string[]): string[] {
  return [...new Set([...some, ...others])]
}
