import { isDeepStrictEqual } from 'node:util'
import type { OrderField } from '../map.js'
import { type Complaint, orderFormShape, type Read, read } from './shapes.js'

/**
 * New names and descriptions for the fields that Feishu has: all of them, in their order, with nothing else changed
 * (contract §3.5). Says all that does not fit at once.
 */
export function readRelabeling(stored: readonly OrderField[], value: unknown): Read<OrderField[]> {
  const shaped = read(orderFormShape, value)
  const complaints = [...(shaped.kind === 'misfit' ? shaped.complaints : []), ...differences(stored, listOf(value))]
  if (shaped.kind === 'misfit' || complaints.length > 0) return { kind: 'misfit', complaints }
  return { kind: 'ok', value: shaped.value.custom_field_list }
}

function differences(stored: readonly OrderField[], given: readonly unknown[]): Complaint[] {
  const path = 'custom_field_list'
  const complain = (message: string) => [{ path, message }]
  if (stored.length === 0) return complain('the account has no fields: put a catalog with some first')
  const keys = new Set(given.map((each) => asFields(each)['key']))
  const left = stored.filter((field) => !keys.has(field.key)).map((field) => field.key)
  return [
    ...(given.length === stored.length ? [] : complain(`expected ${stored.length} fields, as Feishu has them`)),
    ...(left.length === 0 ? [] : complain(`expected ${left.join(', ')} to be there, too`)),
    ...given.flatMap((each, index) => differenceOf(stored, asFields(each), index, `${path}.${index}`)),
  ]
}

function differenceOf(
  stored: readonly OrderField[],
  given: Readonly<Record<string, unknown>>,
  index: number,
  path: string,
): Complaint[] {
  const { key } = given
  if (typeof key !== 'string') return []
  const known = stored.find((field) => field.key === key)
  if (known === undefined) {
    return [{ path: `${path}.key`, message: 'expected the key of a field that Feishu has: put a catalog to add one' }]
  }
  const complaints: Complaint[] = []
  const complain = (member: string, message: string) => complaints.push({ path: `${path}.${member}`, message })
  const inTurn = stored[index]
  if (inTurn !== undefined && inTurn.key !== key)
    complain('key', `expected ${inTurn.key}, as the fields stand in Feishu`)
  if (given['type'] !== known.type) complain('type', `expected ${known.type}, which cannot be changed`)
  if (given['is_required'] !== known.is_required)
    complain('is_required', `expected ${known.is_required}, which cannot be changed`)
  if (!isDeepStrictEqual(given['options'], known.options))
    complain('options', 'expected those that Feishu has, unchanged')
  return complaints
}

function listOf(value: unknown): unknown[] {
  const list = asFields(value)['custom_field_list']
  return Array.isArray(list) ? list : []
}

function asFields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {}
}
