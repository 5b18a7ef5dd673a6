import { isDeepStrictEqual } from 'node:util'
import type { AccountField } from '../../map.js'
import { propose } from '../propose.js'
import { type Complaint, longestKey } from '../shapes.js'
import { type FormCall, type KnownForm, keysThere } from './known.js'

export interface FormStep {
  content: FormCall
  summary: string
  /** Fields go for ever. */
  irreversible: boolean
}

export interface FormPlan {
  steps: FormStep[]
  complaints: Complaint[]
}

/** Background checks; the other scope is for exams. */
const scope = 1

/**
 * The fewest calls that lead from the form that Feishu is known to hold to the one that is wanted. Pure. A create
 * replaces the whole form in one call, so that customers never meet one without fields, and it settles what is in
 * doubt; names and descriptions are updated, and fields that only go are deleted (decision 0008).
 */
export function planForm(known: KnownForm, wanted: AccountField[]): FormPlan {
  const complaints = complain(known, wanted)
  if (complaints.length > 0) return { steps: [], complaints }
  if (known.unclear.some((call) => call.api !== 'account_custom_fields.batch_update'))
    return only(create(known, wanted))
  const left = known.held.filter(({ key }) => wanted.some((field) => field.key === key))
  if (left.length === 0 || !isDeepStrictEqual(left.map(definitionOf), wanted.map(definitionOf))) {
    return only(create(known, wanted))
  }
  const gone = known.held.filter((field) => !left.includes(field)).map((field) => field.key)
  const isNamedAnew = !isDeepStrictEqual(left, wanted) || known.unclear.length > 0
  return { steps: [...(isNamedAnew ? [update(wanted)] : []), ...(gone.length > 0 ? [remove(gone)] : [])], complaints }
}

function complain(known: KnownForm, wanted: readonly AccountField[]): Complaint[] {
  if (wanted.length === 0) {
    return [{ path: 'custom_field_list', message: 'expected one field at least, since Feishu keeps the last one' }]
  }
  const spent = new Set(known.spent)
  const taken = new Set([...spent, ...keysThere(known), ...wanted.map((field) => field.key)])
  return wanted.flatMap(({ key }, index) => {
    if (!spent.has(key)) return []
    const proposed = propose(key, taken, longestKey)
    taken.add(proposed)
    const message = `was deleted, and Feishu never takes a deleted key again: use another one, such as ${proposed}`
    return [{ path: `custom_field_list.${index}.key`, message }]
  })
}

function create(known: KnownForm, wanted: AccountField[]): FormStep {
  const keys = wanted.map((field) => field.key)
  const dropped = keysThere(known).filter((key) => !keys.includes(key))
  const loses = dropped.length > 0 ? `, and loses ${dropped.join(', ')} for ever` : ''
  return {
    content: { api: 'account_custom_fields.create', body: { scope, custom_field_list: wanted } },
    summary: `the form becomes ${keys.join(', ')}${loses}`,
    irreversible: dropped.length > 0,
  }
}

function update(wanted: AccountField[]): FormStep {
  const keys = wanted.map((field) => field.key)
  return {
    content: { api: 'account_custom_fields.batch_update', body: { scope, custom_field_list: wanted } },
    summary: `says how ${keys.join(', ')} are called`,
    irreversible: false,
  }
}

function remove(keys: string[]): FormStep {
  return {
    content: { api: 'account_custom_fields.batch_delete', body: { scope, custom_field_key_list: keys } },
    summary: `deletes ${keys.join(', ')} for ever`,
    irreversible: true,
  }
}

function definitionOf({ key, is_required }: AccountField) {
  return { key, is_required }
}

function only(step: FormStep): FormPlan {
  return { steps: [step], complaints: [] }
}
