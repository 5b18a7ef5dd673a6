import { isDeepStrictEqual } from 'node:util'
import type { AccountField, OtherBody } from '../../map.js'

/** A call for the form that customers fill in when binding (contract §3.7). */
export type FormCall = Extract<OtherBody, { body: { scope: 1 | 2 } }>

/** What Feishu is known to hold of the form of an app in a tenant. */
export interface KnownForm {
  held: AccountField[]
  /** Keys that were deleted or dropped, or may have been: not given again. */
  spent: string[]
  /** Calls that ended without a clear answer. */
  unclear: FormCall[]
}

export const nothingKnown = (): KnownForm => ({ held: [], spent: [], unclear: [] })

/** Feishu took a call. A create is the whole set, whatever was there or in doubt before. */
export function afterDelivered(known: KnownForm, call: FormCall): KnownForm {
  switch (call.api) {
    case 'account_custom_fields.create':
      return { held: call.body.custom_field_list, spent: withDropped(known, call), unclear: [] }
    case 'account_custom_fields.batch_update':
      return {
        ...known,
        held: relabeled(known.held, call.body.custom_field_list),
        unclear: known.unclear.filter((each) => each.api !== call.api),
      }
    case 'account_custom_fields.batch_delete':
      return { ...without(known, call.body.custom_field_key_list), unclear: known.unclear }
  }
}

/** A call is dead and may have taken effect: keys that it takes away are used up. */
export function afterLost(known: KnownForm, call: FormCall): KnownForm {
  const unclear = [...known.unclear.filter((each) => !isDeepStrictEqual(each, call)), call]
  if (call.api === 'account_custom_fields.batch_delete')
    return { ...without(known, call.body.custom_field_key_list), unclear }
  if (call.api === 'account_custom_fields.create') return { ...known, spent: withDropped(known, call), unclear }
  return { ...known, unclear }
}

/** Keys that Feishu has, or may have by a call without a clear answer. */
export function keysThere({ held, unclear, spent }: KnownForm): string[] {
  const doubtful = unclear.flatMap((call) => ('custom_field_list' in call.body ? call.body.custom_field_list : []))
  const keys = [...held, ...doubtful].map((field) => field.key)
  return [...new Set(keys)].filter((key) => !spent.includes(key))
}

function withDropped(known: KnownForm, { body }: FormCall): string[] {
  const keys = 'custom_field_list' in body ? body.custom_field_list.map((field) => field.key) : []
  return [...known.spent, ...keysThere(known).filter((key) => !keys.includes(key))]
}

function without(known: KnownForm, keys: readonly string[]): KnownForm {
  const held = known.held.filter((field) => !keys.includes(field.key))
  return { ...known, held, spent: [...new Set([...known.spent, ...keys])] }
}

/** Feishu passes over `is_required` (contract §3.7). */
function relabeled(held: readonly AccountField[], given: readonly AccountField[]): AccountField[] {
  return held.map((field) => {
    const change = given.find(({ key }) => key === field.key)
    return change === undefined ? field : { ...change, is_required: field.is_required }
  })
}
