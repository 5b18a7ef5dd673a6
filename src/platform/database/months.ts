import pg from 'pg'
import type { Sql } from './database.js'

/**
 * Tables that are partitioned by month. `month` is a column of the type date, and holds the first day of a month in UTC; the
 * partition of March 2025 is `<table>_2025_03`.
 *
 * There is no default partition: with one, PostgreSQL would look at all of it whenever a month is attached, under a lock
 * that readers wait for. https://www.postgresql.org/docs/current/ddl-partitioning.html
 */
export interface Month {
  /** `2025-03` */
  month: string
  partition: string
}

export const isMonth = (text: string): boolean => /^[1-9]\d{3}-(?:0[1-9]|1[0-2])$/.test(text)

export function partitionOf(table: string, month: string): string {
  if (!isMonth(month)) throw new Error(`${table}: expected a month like 2025-03, got ${month.length} characters`)
  return `${table}_${month.replace('-', '_')}`
}

export const firstDayOf = (month: string): string => `${month}-01`

/** The months of a table, oldest first. Throws an Error in words for operators where somebody made another part by hand. */
export async function listMonths(sql: Sql, table: string): Promise<Month[]> {
  const found = await sql.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
     WHERE p.relname = $1 AND p.relnamespace = current_schema()::regnamespace ORDER BY 1`,
    [table],
  )
  return found.rows.map(({ name }) => {
    const month = name.slice(table.length + 1).replace('_', '-')
    if (isMonth(month) && partitionOf(table, month) === name) return { month, partition: name }
    throw new Error(`${name} is a part of ${table} that holds no month, and was made by hand: detach it first`)
  })
}

/**
 * Whoever makes a partition, or takes one off, holds this until its transaction ends: PostgreSQL would let the second wait
 * and then fail.
 */
export async function lockMonths(sql: Sql, table: string): Promise<void> {
  await sql.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`months:${table}`])
}

/**
 * Makes the partition of a month where there is none. A table is made and then attached, since `CREATE TABLE … PARTITION OF`
 * locks out whoever reads the whole table, and waits for them: a backup, for as long as it takes.
 */
export async function ensureMonth(sql: Sql, table: string, month: string): Promise<void> {
  const partition = partitionOf(table, month)
  if (await isThere(sql, partition)) return
  await lockMonths(sql, table)
  if (await isThere(sql, partition)) return
  const [whole, name] = [pg.escapeIdentifier(table), pg.escapeIdentifier(partition)]
  await sql.query(`CREATE TABLE ${name} (LIKE ${whole} INCLUDING ALL)`)
  await sql.query(
    `ALTER TABLE ${whole} ATTACH PARTITION ${name} FOR VALUES FROM ('${firstDayOf(month)}') TO ('${firstDayOf(nextMonth(month))}')`,
  )
}

/** Takes a month off with all that is in it; nothing has to be vacuumed after. The caller holds `lockMonths`. */
export async function dropMonth(sql: Sql, table: string, month: string): Promise<void> {
  await sql.query(`DROP TABLE ${pg.escapeIdentifier(partitionOf(table, month))}`)
}

async function isThere(sql: Sql, partition: string): Promise<boolean> {
  const text = `SELECT 1 FROM pg_class WHERE relname = $1 AND relnamespace = current_schema()::regnamespace`
  return (await sql.query(text, [partition])).rowCount === 1
}

function nextMonth(month: string): string {
  const [year = 0, number = 0] = month.split('-').map(Number)
  return new Date(Date.UTC(year, number, 1)).toISOString().slice(0, 7)
}
