import pg from 'pg'
import type { Sql } from '../../platform/database/database.js'
import { firstDayOf, listMonths, partitionOf } from '../../platform/database/months.js'
import { archiveTable, thisMonth } from './table.js'

/** A month of the archive, as it lies in the database. */
export interface MonthOfArchive {
  /** `2025-03` */
  month: string
  orders: number
  /** With indexes. */
  bytes: number
  firstEndedAt: Date | null
  lastEndedAt: Date | null
}

/** Oldest first. */
export async function describeMonths(sql: Sql): Promise<MonthOfArchive[]> {
  const all: MonthOfArchive[] = []
  for (const { month, partition } of await listMonths(sql, archiveTable)) {
    const found = await sql.query<{ bytes: string }>('SELECT pg_total_relation_size(to_regclass($1)) AS bytes', [
      pg.escapeIdentifier(partition),
    ])
    all.push({ month, bytes: Number(found.rows[0]?.bytes ?? 0), ...(await countMonth(sql, month)) })
  }
  return all
}

/** As many blocks of a table as PostgreSQL reads in a moment, on a slow disk too: 128 MiB. */
const blocksAtOnce = 16_384

/**
 * What is in a month, read in the order in which it lies there and piece by piece: no statement takes long, however many
 * orders a first run has put there. What comes in meanwhile may count or not.
 */
export async function countMonth(
  sql: Sql,
  month: string,
  atOnce = blocksAtOnce,
): Promise<Pick<MonthOfArchive, 'orders' | 'firstEndedAt' | 'lastEndedAt'>> {
  const counted = { orders: 0, firstEndedAt: null as Date | null, lastEndedAt: null as Date | null }
  const blocks = await countBlocks(sql, month)
  for (let block = 0; block < blocks; block += atOnce) {
    const { rows } = await sql.query<{ n: string; first: Date | null; last: Date | null }>(
      `SELECT count(*) AS n, min(ended_at) AS first, max(ended_at) AS last FROM ${archiveTable}
       WHERE month = $1::date AND ctid >= $2::tid AND ctid < $3::tid`,
      [firstDayOf(month), `(${block},0)`, `(${block + atOnce},0)`],
    )
    for (const { n, first, last } of rows) {
      counted.orders += Number(n)
      counted.firstEndedAt = earlier(counted.firstEndedAt, first)
      counted.lastEndedAt = later(counted.lastEndedAt, last)
    }
  }
  return counted
}

/** None for a month that is not there any more. */
async function countBlocks(sql: Sql, month: string): Promise<number> {
  const found = await sql.query<{ blocks: string | null }>(
    `SELECT pg_relation_size(to_regclass($1)) / current_setting('block_size')::int AS blocks`,
    [pg.escapeIdentifier(partitionOf(archiveTable, month))],
  )
  return Number(found.rows[0]?.blocks ?? 0)
}

const earlier = (one: Date | null, other: Date | null) =>
  one === null || (other !== null && other < one) ? other : one
const later = (one: Date | null, other: Date | null) => (one === null || (other !== null && other > one) ? other : one)

/** Throws an Error in words for operators. */
export async function refuseUnknownMonth(sql: Sql, month: string): Promise<void> {
  const months = await listMonths(sql, archiveTable)
  if (!months.some((each) => each.month === month)) throw new Error(`there is no ${month} in the archive`)
}

/** Orders still come into a month that is not over. Throws an Error in words for operators. */
export async function refuseUnfinished(sql: Sql, month: string): Promise<void> {
  if (month >= (await thisMonth(sql)))
    throw new Error(`${month} is not over: orders still come into it, so that it stays`)
}
