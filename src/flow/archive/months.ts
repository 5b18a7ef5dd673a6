import type { Database, Sql } from '../../platform/database/database.js'
import { dropMonth, firstDayOf, listMonths, lockMonths, partitionOf } from '../../platform/database/months.js'
import { addToAudit } from '../audit.js'
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
    const found = await sql.query<{ orders: string; bytes: string; first: Date | null; last: Date | null }>(
      `SELECT count(*) AS orders, min(ended_at) AS first, max(ended_at) AS last,
         pg_total_relation_size(to_regclass($2)) AS bytes FROM ${archiveTable} WHERE month = $1::date`,
      [firstDayOf(month), partition],
    )
    for (const { orders, bytes, first, last } of found.rows) {
      all.push({ month, orders: Number(orders), bytes: Number(bytes), firstEndedAt: first, lastEndedAt: last })
    }
  }
  return all
}

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

export interface MonthToDrop {
  month: string
  /** How many orders the file was found to have. */
  orders: number
  sha256: string
  /** The user of the command line. */
  actor: string
  /** How long it waits for those that read the archive. */
  waitMs?: number
}

/**
 * Takes a month off that lies in a file, in one transaction with its line in the audit. Throws an Error in words for operators
 * when the month has another number of orders than the file, or when somebody reads the archive for longer than a moment.
 */
export async function dropExported(
  database: Database,
  { month, orders, sha256, actor, waitMs = 5000 }: MonthToDrop,
): Promise<void> {
  await database.transaction(async (sql) => {
    await sql.query(`SELECT set_config('lock_timeout', $1, true)`, [String(waitMs)])
    await lockMonths(sql, archiveTable)
    await lockMonth(sql, month)
    const found = await sql.query<{ n: string }>(`SELECT count(*) AS n FROM ${partitionOf(archiveTable, month)}`)
    if (found.rows[0]?.n !== String(orders)) {
      throw new Error(`${month} is not what the file holds any more, and stays: export it again`)
    }
    await dropMonth(sql, archiveTable, month)
    const after = { orders, sha256 }
    await addToAudit(sql, [
      { actor, via: 'cli', action: 'archive.drop', subject: `archive:${month}`, outcome: 'done', after },
    ])
  })
}

/** Taking a part off locks the whole, for as long as this transaction takes. */
async function lockMonth(sql: Sql, month: string): Promise<void> {
  await sql
    .query(`LOCK TABLE ONLY ${archiveTable}, ${partitionOf(archiveTable, month)} IN ACCESS EXCLUSIVE MODE`)
    .catch((cause: unknown) => {
      // SQLSTATE lock_not_available: https://www.postgresql.org/docs/current/errcodes-appendix.html
      if (!(cause instanceof Error && 'code' in cause && cause.code === '55P03')) throw cause
      throw new Error(
        `${month} stays: somebody reads the archive, a backup for example. Try again when that has ended`,
        {
          cause,
        },
      )
    })
}
