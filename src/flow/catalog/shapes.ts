import { z } from 'zod'
import type { CatalogItem, OrderField, OtherBody } from '../map.js'
import { complaintsAcross } from './across.js'

/**
 * The room `catalog`: what Feishu shows of the vendor. Packages, additional items and order form fields of an account
 * (contract §3.5, §3.6), and the fields of the form that a customer fills in when binding (§3.7). It compares what is
 * wanted with what Feishu is known to hold, puts the fewest calls that lead there into the account's lane, and learns
 * from how they end.
 */
export interface Catalog {
  packages: CatalogItem[]
  additional_items: CatalogItem[]
  custom_fields: OrderField[]
}

/** Ids and keys that were deleted, or may have been: Feishu never takes them again. */
export type Spent = Record<keyof Catalog, string[]>

/** A call for the catalog of an account. */
export type CatalogCall = Extract<OtherBody, { body: { account_id: string } }>

/** One thing that does not fit: where, and what was expected; never what came, but for ids and keys. */
export interface Complaint {
  path: string
  message: string
}

export type Read<T> = { kind: 'ok'; value: T } | { kind: 'misfit'; complaints: Complaint[] }

export const emptyCatalog = (): Catalog => ({ packages: [], additional_items: [], custom_fields: [] })
export const nothingSpent = (): Spent => ({ packages: [], additional_items: [], custom_fields: [] })

/** What Feishu documents (contract §3.5, §3.6); for the key of a field no length is, so it is held to that of a name. */
const longest = { id: 36, name: 100, key: 100 } as const
export const longestId = longest.id
export const longestKey = longest.key

export const fieldTypes = [
  'text',
  'textarea',
  'number',
  'boolean',
  'select',
  'multiselect',
  'date',
  'file',
  'resume',
] as const

/** PostgreSQL keeps neither NUL nor halves of surrogate pairs in JSON. */
const plain = (what: string) => z.string(`expected ${what}`).regex(/^[^\p{Cs}\0]*$/u, `expected ${what} in whole UTF-8`)

const text = (max: number) =>
  plain('text').min(1, `expected 1 to ${max} characters`).max(max, `expected 1 to ${max} characters`)

/** Ids and keys are compared, logged and shown: no control characters. */
const name = (max: number) => text(max).regex(/^[^\p{Cc}]*$/u, 'expected text without control characters')

const object = <S extends z.ZodRawShape>(shape: S) => z.strictObject(shape, 'expected an object')

const label = object({ zh_cn: z.exactOptional(plain('text')), en_us: z.exactOptional(plain('text')) })
const named = label.refine(
  ({ zh_cn = '', en_us = '' }) => zh_cn !== '' || en_us !== '',
  'expected zh_cn, en_us or both',
)

const item = object({
  id: name(longest.id),
  name: text(longest.name),
  description: z.exactOptional(plain('text')),
})

const option = object({ key: name(longest.key), name: named })

const orderField = object({
  type: z.enum(fieldTypes, `expected one of ${fieldTypes.join(', ')}`),
  key: name(longest.key),
  name: named,
  is_required: z.boolean('expected true or false'),
  description: z.exactOptional(label),
  options: z.exactOptional(list(option)),
})

const accountField = object({
  key: name(longest.key),
  name: named,
  is_required: z.boolean('expected true or false'),
  description: z.exactOptional(label),
})

const lists = { packages: list(item), additional_items: list(item), custom_fields: list(orderField) }

/** A catalog as it should be; a list that is left out stays as it is, and one at least is there. */
export const someCatalogShape = object({
  packages: z.exactOptional(lists.packages),
  additional_items: z.exactOptional(lists.additional_items),
  custom_fields: z.exactOptional(lists.custom_fields),
}).refine((given) => Object.keys(given).length > 0, `expected ${Object.keys(lists).join(', ')} or some of them`)

/** The form of an order, or of a binding. */
export const orderFormShape = object({ custom_field_list: lists.custom_fields })
export const accountFormShape = object({ custom_field_list: list(accountField) })

function list<S extends z.ZodType>(each: S) {
  return z.array(each, 'expected a list')
}

export function read<T>(shape: z.ZodType<T>, value: unknown): Read<T> {
  const parsed = shape.safeParse(value)
  const complaints = [...(parsed.error?.issues ?? []).flatMap(complaintsOf), ...complaintsAcross(value)]
  return parsed.success && complaints.length === 0 ? { kind: 'ok', value: parsed.data } : { kind: 'misfit', complaints }
}

const longestPart = 100

function complaintsOf(issue: z.core.$ZodIssue): Complaint[] {
  const path = issue.path.map(String)
  if (issue.code !== 'unrecognized_keys') return [{ path: path.join('.') || 'body', message: issue.message }]
  return issue.keys.map((key) => ({
    path: [...path, key.slice(0, longestPart)].join('.'),
    message: 'expected no such member',
  }))
}

/** A catalog of a vendor may be wrong in ten thousand places: rows and logs get the first ones. */
const mostSaid = 20

export function saying(complaints: readonly Complaint[]): string {
  const said = complaints.slice(0, mostSaid).map(({ path, message }) => `${path}: ${message}`)
  const more = complaints.length - said.length
  return [...said, ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
}
