import { isDeepStrictEqual } from 'node:util'
import type { OrderField } from '../map.js'
import type { Draft } from './draft.js'
import type { Known } from './known.js'
import { propose } from './propose.js'
import { type Catalog, type Complaint, longestKey } from './shapes.js'

/**
 * Feishu changes names and descriptions of order form fields, and nothing else: any other change removes the whole set
 * and creates another one, with keys that were never used (contract §3.5).
 */

/** A create without a clear answer is made again where such a set is wanted; another one is deleted later. */
export function settleFields(draft: Draft, wanted: Catalog): void {
  const { doubts } = draft.known
  if (doubts.some(({ call }) => call.api === 'custom_fields.batch_delete')) return
  for (const { call } of doubts) {
    if (call.api !== 'custom_fields.create') continue
    if (isSameSet(call.body.custom_field_list, wanted.custom_fields)) draft.add(call, { probe: true })
  }
}

/** What can be done without a delete. */
export function updateFields(draft: Draft, account_id: string, { custom_fields: fields }: Catalog): void {
  const { held, doubts } = draft.known
  if (isGoing(draft.known, fields)) return
  const isUnclear = doubts.some(({ call }) => call.api === 'custom_fields.batch_update')
  if (fields.length === 0 || (isDeepStrictEqual(held.custom_fields, fields) && !isUnclear)) return
  if (held.custom_fields.length === 0) createFields(draft, account_id, fields)
  else draft.add({ api: 'custom_fields.batch_update', body: { account_id, custom_field_list: fields } })
}

/** The set goes, and another one comes. */
export function deleteAndCreateFields(draft: Draft, account_id: string, { custom_fields: fields }: Catalog): void {
  if (!isGoing(draft.known, fields)) return
  const probe = hasDoubt(draft.known)
  draft.add({ api: 'custom_fields.batch_delete', body: { account_id } }, { irreversible: true, probe })
  if (fields.length > 0) createFields(draft, account_id, fields, true)
}

export function complainOfFields(known: Known, { custom_fields: fields }: Catalog): Complaint[] {
  const going = isGoing(known, fields) ? keysThere(known) : []
  const gone = new Set([...known.spent.custom_fields, ...going])
  const taken = new Set([...gone, ...fields.map((field) => field.key)])
  return fields.flatMap(({ key }, index) => {
    if (!gone.has(key)) return []
    const proposed = propose(key, taken, longestKey)
    taken.add(proposed)
    const path = `custom_fields.${index}.key`
    return [{ path, message: `${whyGone(known, key)}: use another one, such as ${proposed}` }]
  })
}

function whyGone({ spent }: Known, key: string): string {
  return spent.custom_fields.includes(key)
    ? 'was deleted, and Feishu never takes a deleted key again'
    : 'is deleted with all other fields, since Feishu changes only names and descriptions, and never takes a deleted key again'
}

/** The same fields, but for names and descriptions. */
export function isSameSet(some: readonly OrderField[], others: readonly OrderField[]): boolean {
  return isDeepStrictEqual(some.map(definitionOf), others.map(definitionOf))
}

function definitionOf({ type, key, is_required, options = [] }: OrderField) {
  return { type, key, is_required, options }
}

/** Whether what is there, or may be, has to be deleted first. */
function isGoing(known: Known, fields: readonly OrderField[]): boolean {
  const { custom_fields: held } = known.held
  return hasDoubt(known) || (held.length > 0 && !isSameSet(held, fields))
}

function hasDoubt({ doubts }: Known): boolean {
  return doubts.some(({ call }) => call.api === 'custom_fields.create' || call.api === 'custom_fields.batch_delete')
}

function keysThere({ held, doubts }: Known): string[] {
  const doubtful = doubts.flatMap(({ call }) =>
    call.api === 'custom_fields.create' ? call.body.custom_field_list : [],
  )
  return [...held.custom_fields, ...doubtful].map((field) => field.key)
}

function createFields(draft: Draft, account_id: string, fields: OrderField[], irreversible = false): void {
  draft.add({ api: 'custom_fields.create', body: { account_id, custom_field_list: fields } }, { irreversible })
}
