import { z } from 'zod'
import { type Answer, ok } from './route.js'
import { rowId, text } from './values.js'

/**
 * Lists are newest first. A cursor names the last row that was given out by what lists are sorted by, so rows that come
 * meanwhile neither repeat a row nor hide one. It is opaque to callers: base64url of a JSON array.
 */
const mostItems = 200
const usualItems = 50
const notOurs = 'expected the next_cursor of an earlier answer'

export const limit = z
  .string()
  .regex(/^(?:[1-9]\d?|1\d\d|200)$/, `expected a whole number from 1 to ${mostItems}`)
  .transform(Number)
  .default(usualItems)
  .meta({ type: 'integer', minimum: 1, maximum: mostItems, default: usualItems, description: 'How many items' })

/** Years up to 9999, which PostgreSQL reads as JavaScript writes them. */
const time = z
  .number()
  .int()
  .min(0)
  .max(253_402_300_799_999)
  .transform((ms) => new Date(ms))

/** For lists by an id that is counted upwards. */
export const idCursor = cursor(z.tuple([rowId]).transform(([id]) => id))

/** For lists by the time of creation, then by id. */
export const timeCursor = cursor(z.tuple([time, text]).transform(([at, id]) => ({ at, id })))

function cursor<Place extends z.ZodType>(place: Place) {
  return z
    .string()
    .max(1000, notOurs)
    .meta({ description: 'The `next_cursor` of an earlier answer' })
    .transform((given, ctx): z.output<Place> => {
      const read = place.safeParse(decode(given))
      if (read.success) return read.data
      ctx.addIssue({ code: 'custom', message: notOurs })
      return z.NEVER
    })
}

function decode(given: string): unknown {
  try {
    return JSON.parse(Buffer.from(given, 'base64url').toString('utf8'))
  } catch (failure) {
    if (failure instanceof SyntaxError) return undefined
    throw failure
  }
}

/** How rows of a list by their own id are asked for: one row more than asked for, which tells whether there is another page. */
export const newestFirst = (most: number) => ({ orderBy: { id: 'desc' }, take: most + 1 }) as const

/** Rows behind a cursor in such a list. */
export function olderThan(cursor: bigint | undefined): { id?: { lt: bigint } } {
  return cursor === undefined ? {} : { id: { lt: cursor } }
}

/** A page of such a list. */
export function pageById<Row extends { id: bigint }, Item extends object>(
  found: readonly Row[],
  most: number,
  show: (row: Row) => Item,
): Page<Item> {
  const { rows, last } = cut(found, most)
  return page(rows.map(show), last && [String(last.id)])
}

/** A page out of one row more than asked for. */
export function cut<Row>(rows: readonly Row[], most: number): { rows: readonly Row[]; last: Row | undefined } {
  const page = rows.slice(0, most)
  return { rows: page, last: rows.length > most ? page.at(-1) : undefined }
}

export function page<Item extends object>(items: Item[], next: ReadonlyArray<string | number> | undefined): Page<Item> {
  return ok({ items, next_cursor: next === undefined ? null : cursorOf(next) })
}

type Page<Item> = Answer<{ items: Item[]; next_cursor: string | null }>

/** The answer of a list. */
export function listOf<Item extends z.ZodType>(id: string, item: Item) {
  const next = z.string().nullable().meta({ description: 'The `cursor` of the next page; null on the last one' })
  return z.object({ items: z.array(item), next_cursor: next }).meta({ id })
}

function cursorOf(parts: ReadonlyArray<string | number>): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

/** Rows behind a cursor in a list that is sorted by `createdAt` downwards and by id upwards. */
export function behind(cursor: { at: Date; id: string } | undefined, id: string) {
  if (cursor === undefined) return {}
  // The first condition alone lets an index start at the cursor.
  return {
    createdAt: { lte: cursor.at },
    OR: [{ createdAt: { lt: cursor.at } }, { [id]: { gt: cursor.id } }],
  }
}
