import { isDeepStrictEqual } from 'node:util'
import type { CatalogItem } from '../map.js'
import type { Draft } from './draft.js'
import { type Known, lastCreated, mayLack } from './known.js'
import { propose } from './propose.js'
import { type Catalog, type Complaint, longestId } from './shapes.js'

/** Of packages and of items in one call (contract §3.6 documents no limit; this is the one that we keep). */
export const mostInCall = 50

/** Creates without a clear answer: the same set again, which begins with the question whether it is there. */
export function settlePackages(draft: Draft): void {
  for (const { about, call } of draft.known.doubts) {
    if (about === 'taken' && call.api === 'packages.create') draft.add(call, { probe: true })
  }
}

/** What is not there yet. */
export function createPackages(draft: Draft, account_id: string, wanted: Catalog): void {
  const { held, appends } = draft.known
  const packages = missing(held.packages, wanted.packages)
  const items = missing(held.additional_items, wanted.additional_items)
  if (packages.length + items.length === 0) return
  if (appends === false && held.packages.length > 0) {
    // Feishu would drop what is not named.
    const package_list = [...relabeled(held.packages, wanted.packages), ...packages]
    const additional_item_list = [...relabeled(held.additional_items, wanted.additional_items), ...items]
    draft.add({ api: 'packages.create', body: { account_id, package_list, ...given(additional_item_list) } })
    return
  }
  const calls = Math.max(chunksFor(packages), chunksFor(items))
  for (const [index, package_list] of spread(packages, calls).entries()) {
    const additional = items.slice(index * mostInCall, (index + 1) * mostInCall)
    draft.add({ api: 'packages.create', body: { account_id, package_list, ...given(additional) } })
  }
}

/** All that is there, with its descriptions, when one of them is called differently now or when nobody knows. */
export function updatePackages(draft: Draft, account_id: string, wanted: Catalog): void {
  const { held, doubts } = draft.known
  const packages = relabeled(held.packages, wanted.packages)
  const items = relabeled(held.additional_items, wanted.additional_items)
  const isNew = !isDeepStrictEqual([packages, items], [held.packages, held.additional_items])
  const isUnclear = mayLack(draft.known, wanted) || doubts.some(({ call }) => call.api === 'packages.batch_update')
  // Items alone cannot be named; they go with the last package.
  if ((!isNew && !isUnclear) || packages.length === 0) return
  const lists = chunked(packages)
  const calls = Math.max(lists.length, chunksFor(items))
  for (let index = 0; index < calls; index += 1) {
    const package_list = lists[Math.min(index, lists.length - 1)] ?? packages
    const additional = items.slice(index * mostInCall, (index + 1) * mostInCall)
    draft.add({ api: 'packages.batch_update', body: { account_id, package_list, ...given(additional) } })
  }
}

/** Deletes without a clear answer are made again; then what is not wanted goes, packages before items. */
export function deletePackages(draft: Draft, account_id: string, wanted: Catalog): void {
  for (const { about, call } of draft.known.doubts) {
    if (about === 'taken' && call.api === 'packages.batch_delete') draft.add(call, { irreversible: true, probe: true })
  }
  const { held } = draft.known
  const gone = {
    packages: missing(wanted.packages, held.packages).map((item) => item.id),
    items: missing(wanted.additional_items, held.additional_items).map((item) => item.id),
  }
  // A delete of something that is not there is refused whole: what may have gone with a create has a call of its own.
  const sure = lastCreated(draft.known)
  const isSure = (kind: 'packages' | 'items') => (id: string) => sure[kind].has(id)
  for (const isPart of [(each: boolean) => !each, (each: boolean) => each]) {
    const packages = gone.packages.filter((id) => isPart(isSure('packages')(id)))
    deleteAll(
      draft,
      account_id,
      packages,
      gone.items.filter((id) => isPart(isSure('items')(id))),
    )
  }
}

function deleteAll(draft: Draft, account_id: string, packages: readonly string[], items: readonly string[]): void {
  const lists = chunked(packages)
  const withLast = lists.length === 0 ? [] : items.slice(0, mostInCall)
  for (const [index, package_id_list] of lists.entries()) {
    const additional = index === lists.length - 1 && withLast.length > 0 ? { additional_item_id_list: withLast } : {}
    draft.add({ api: 'packages.batch_delete', body: { account_id, package_id_list, ...additional } }, forEver)
  }
  for (const additional_item_id_list of chunked(items.slice(withLast.length))) {
    draft.add({ api: 'packages.batch_delete', body: { account_id, additional_item_id_list } }, forEver)
  }
}

const forEver = { irreversible: true }

export function complainOfPackages(known: Known, wanted: Catalog): Complaint[] {
  return [
    ...complainOfSpent('packages', known, wanted),
    ...complainOfSpent('additional_items', known, wanted),
    ...complainOfNumbers(known, wanted),
  ]
}

function complainOfSpent(list: 'packages' | 'additional_items', { held, spent }: Known, wanted: Catalog): Complaint[] {
  const gone = new Set(spent[list])
  const taken = new Set([...gone, ...[...held[list], ...wanted[list]].map((item) => item.id)])
  return wanted[list].flatMap(({ id }, index) => {
    if (!gone.has(id)) return []
    const proposed = propose(id, taken, longestId)
    taken.add(proposed)
    const message = `was deleted, and Feishu never takes a deleted id again: use another one, such as ${proposed}`
    return [{ path: `${list}.${index}.id`, message }]
  })
}

/** Feishu takes new items only in a create of packages, which needs a new package (contract §3.6, §7.19). */
function complainOfNumbers({ held, spent, appends }: Known, wanted: Catalog): Complaint[] {
  const complain = (message: string) => [{ path: 'additional_items', message }]
  if (wanted.packages.length === 0) {
    return wanted.additional_items.length === 0 ? [] : complain('expected none, since there are no packages')
  }
  const packages = missing(held.packages, wanted.packages)
  const items = missing(held.additional_items, wanted.additional_items)
  if (appends === false && held.packages.length > 0) return complainOfWhole(held, packages, items)
  if (chunksFor(items) <= packages.length) return []
  const [first] = wanted.packages
  const taken = new Set([...spent.packages, ...[...held.packages, ...wanted.packages].map((item) => item.id)])
  const proposed = first && propose(first.id, taken, longestId)
  return complain(
    `new items (${items.length}) come with new packages only, up to ${mostInCall} with each, and ${packages.length} are new: ` +
      `give a package a new id, such as ${proposed}`,
  )
}

/** Where a create replaces all that was there, one call has to name everything. */
function complainOfWhole(held: Catalog, packages: readonly unknown[], items: readonly unknown[]): Complaint[] {
  if (packages.length + items.length === 0) return []
  const most = (path: string, number: number) =>
    number > mostInCall
      ? [{ path, message: `expected ${mostInCall} at most, those that are not wanted any more included` }]
      : []
  return [
    ...most('packages', held.packages.length + packages.length),
    ...most('additional_items', held.additional_items.length + items.length),
  ]
}

function missing(from: readonly CatalogItem[], items: readonly CatalogItem[]): CatalogItem[] {
  const ids = new Set(from.map((item) => item.id))
  return items.filter((item) => !ids.has(item.id))
}

function relabeled(held: readonly CatalogItem[], wanted: readonly CatalogItem[]): CatalogItem[] {
  const byId = new Map(wanted.map((item) => [item.id, item]))
  return held.map((item) => byId.get(item.id) ?? item)
}

function given(additional_item_list: CatalogItem[]): { additional_item_list?: CatalogItem[] } {
  return additional_item_list.length === 0 ? {} : { additional_item_list }
}

function chunksFor(list: readonly unknown[]): number {
  return Math.ceil(list.length / mostInCall)
}

function chunked<T>(list: readonly T[]): T[][] {
  return Array.from({ length: chunksFor(list) }, (_, index) => list.slice(index * mostInCall, (index + 1) * mostInCall))
}

/** In so many parts that none is empty. */
function spread<T>(list: readonly T[], parts: number): T[][] {
  const at = (index: number) => Math.floor((index * list.length) / parts)
  return Array.from({ length: parts }, (_, index) => list.slice(at(index), at(index + 1)))
}
