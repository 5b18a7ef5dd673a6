import type { Sql } from '../../platform/database/database.js'

export interface Paged {
  table: string
  key: ReadonlyArray<{ name: string; type: string }>
  beside?: readonly string[]
  /** SQL: which rows are wanted, with `wants` as its values from $1 on. */
  wanted: string
  wants: readonly unknown[]
  /** SQL: how many bytes a row costs to work on. */
  bytes: string
}

export type PagedRow = Record<string, string> & { bytes: number }

/** Rows that a page looks at, and that it works on at most at a time. */
const window = 5000
const mostBytes = 8 * 1024 * 1024

/**
 * Walks a table by its primary key and answers the wanted rows in parts of at most `most`. Each question looks at a
 * bounded number of rows, wanted or not, so that it is short and the memory is bounded, however large the table.
 */
export async function* pagesOf(sql: Sql, paged: Paged, most: number): AsyncGenerator<PagedRow[]> {
  let after: string[] | null = null
  for (;;) {
    const page: { wanted: PagedRow[]; last: string[] | null } = await readPage(sql, paged, after)
    yield* inParts(page.wanted, most)
    if (page.last === null) return
    after = page.last
  }
}

async function readPage(sql: Sql, paged: Paged, after: readonly string[] | null) {
  const { table, key, beside = [], wanted, wants, bytes } = paged
  const names = key.map(({ name }) => name)
  const from = key.map(({ type }, index) => `$${wants.length + 1 + index}::${type}`)
  const columns = [...names, ...beside].map((name) => `${name}::text AS ${name}`)
  const found = await sql.query<PagedRow & { wanted: boolean; nth: number }>(
    `WITH page AS MATERIALIZED (
       SELECT ${columns.join(', ')}, coalesce(${wanted}, false) AS wanted, coalesce(${bytes}, 0) AS bytes,
         row_number() OVER (ORDER BY ${names.map((name) => `${table}.${name}`).join(', ')})::int AS nth
       FROM ${table} ${after === null ? '' : `WHERE (${names.join(', ')}) > (${from.join(', ')})`}
       ORDER BY ${names.map((name) => `${table}.${name}`).join(', ')} LIMIT ${window}
     )
     SELECT * FROM page WHERE wanted OR nth = ${window} ORDER BY nth`,
    [...wants, ...(after ?? [])],
  )
  const last = found.rows.at(-1)
  return {
    wanted: found.rows.filter((row) => row.wanted),
    last: last?.nth === window ? names.map((name) => last[name] ?? '') : null,
  }
}

function* inParts(rows: readonly PagedRow[], most: number): Generator<PagedRow[]> {
  let part: PagedRow[] = []
  let bytes = 0
  for (const row of rows) {
    if (part.length > 0 && (part.length === most || bytes + row.bytes > mostBytes)) {
      yield part
      part = []
      bytes = 0
    }
    part.push(row)
    bytes += row.bytes
  }
  if (part.length > 0) yield part
}
