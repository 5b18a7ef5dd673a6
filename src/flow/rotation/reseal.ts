import { headOf, headSql, plainHead } from '../../platform/crypto/key-of.js'
import { SealError, type Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { type PagedRow, pagesOf } from './pages.js'
import type { SealedPlace } from './places.js'

/** What one walk over a place came to, in values. */
export interface Passed {
  rotated: number
  /** Somebody else wrote or held them at that moment: another walk finds them. */
  missed: number
  /** No key opens them, or they were changed. */
  closed: number
}

export interface RotationKeys {
  sealer: Sealer
  /** Ids, the one that seals first. */
  ids: readonly string[]
}

export interface Walk {
  batch: number
  onRotated: (values: number) => void
}

/** Seals anew what lies under another key than the first. `plain`: whether values without a key are among it. */
export async function resealPlace(
  sql: Sql,
  keys: RotationKeys,
  place: SealedPlace,
  { batch, onRotated }: Walk,
  plain = true,
): Promise<Passed> {
  const { table, key, beside = [], column, only = 'true' } = place
  const heads = [...keys.ids.slice(1).map(headOf), ...(plain ? [plainHead] : [])]
  const wanted = `${only} AND ${headSql(column)} = ANY($1::bytea[])`
  const paged = { table, key, beside, wanted, wants: [heads], bytes: `octet_length(${column})` }
  const passed: Passed = { rotated: 0, missed: 0, closed: 0 }
  for await (const part of pagesOf(sql, paged, batch)) {
    const fresh = await sealAnew(sql, keys.sealer, place, part)
    const rotated = await replace(sql, place, fresh.values)
    passed.closed += fresh.closed
    passed.rotated += rotated
    passed.missed += part.length - fresh.closed - rotated
    onRotated(rotated)
  }
  return passed
}

interface Fresh {
  key: string[]
  old: Buffer
  fresh: Buffer
}

async function sealAnew(sql: Sql, sealer: Sealer, place: SealedPlace, part: readonly PagedRow[]) {
  const { table, column } = place
  const columns = [...place.key.map(({ name }) => name), ...(place.beside ?? [])]
  const found = await sql.query<Record<string, string> & { sealed: Buffer }>(
    `SELECT ${columns.map((name) => `t.${name}::text AS ${name}`).join(', ')}, t.${column} AS sealed
     FROM ${table} t JOIN ${givenKeys(place)} WHERE t.${column} IS NOT NULL`,
    keyArrays(
      place,
      part.map((row) => place.key.map(({ name }) => row[name] ?? '')),
    ),
  )
  const values: Fresh[] = []
  let closed = 0
  for (const { sealed, ...row } of found.rows) {
    const fresh = anew(sealer, sealed, place.context(row))
    if (fresh === null) closed += 1
    else values.push({ key: place.key.map(({ name }) => row[name] ?? ''), old: sealed, fresh })
  }
  return { values, closed }
}

function anew(sealer: Sealer, sealed: Buffer, context: string): Buffer | null {
  try {
    return sealer.seal(sealer.open(sealed, context), context)
  } catch (failure) {
    if (failure instanceof SealError) return null
    throw failure
  }
}

/**
 * Only where the bytes are still those that were opened. Rows that somebody holds are passed over, so that this never waits
 * for a lock while it has others: it can be part of no deadlock.
 */
async function replace(sql: Sql, place: SealedPlace, values: readonly Fresh[]): Promise<number> {
  if (values.length === 0) return 0
  const { table, column, key } = place
  const same = key.map(({ name }) => `t.${name} = l.${name}`).join(' AND ')
  const replaced = await sql.query(
    `WITH locked AS (
       SELECT ${key.map(({ name }) => `t.${name}`).join(', ')}, g.fresh
       FROM ${table} t JOIN ${givenKeys(place, ['old', 'fresh'])} WHERE t.${column} = g.old
       FOR NO KEY UPDATE OF t SKIP LOCKED
     )
     UPDATE ${table} t SET ${column} = l.fresh FROM locked l WHERE ${same}`,
    [
      ...keyArrays(
        place,
        values.map((value) => value.key),
      ),
      values.map(({ old }) => old),
      values.map(({ fresh }) => fresh),
    ],
  )
  return replaced.rowCount ?? 0
}

/** `unnest(…) AS g (…) ON …`: the keys first, then columns of bytes. */
function givenKeys({ key }: SealedPlace, bytes: readonly string[] = []): string {
  const types = [...key.map(({ type }) => type), ...bytes.map(() => 'bytea')]
  const names = [...key.map(({ name }) => name), ...bytes]
  const arrays = types.map((type, index) => `$${index + 1}::${type}[]`)
  const same = key.map(({ name }) => `t.${name} = g.${name}`)
  return `unnest(${arrays.join(', ')}) AS g (${names.join(', ')}) ON ${same.join(' AND ')}`
}

function keyArrays({ key }: SealedPlace, keys: readonly string[][]): string[][] {
  return key.map((_column, index) => keys.map((each) => each[index] ?? ''))
}
