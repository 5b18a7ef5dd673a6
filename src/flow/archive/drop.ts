import type { Database, Sql } from '../../platform/database/database.js'
import { dropMonth, lockMonths, partitionOf } from '../../platform/database/months.js'
import { addToAudit } from '../audit.js'
import { countMonth, refuseUnknownMonth } from './months.js'
import { archiveTable } from './table.js'

export interface MonthToDrop {
  month: string
  /** How many orders the file was found to have. */
  orders: number
  sha256: string
  /** The user of the command line. */
  actor: string
  /** How long it waits for those that work with the archive. */
  waitMs?: number
}

/**
 * Takes a month off that lies in a file, in one transaction with its line in the audit. Throws an Error in words for operators
 * when the month has another number of orders than the file, or when somebody works with the archive for longer than a moment.
 *
 * Others read the archive while the orders are counted: only the drop itself locks them out.
 */
export async function dropExported(
  database: Database,
  { month, orders, sha256, actor, waitMs = 5000 }: MonthToDrop,
): Promise<void> {
  const partition = partitionOf(archiveTable, month)
  await database.transaction(async (sql) => {
    await sql.query(`SELECT set_config('lock_timeout', $1, true)`, [String(waitMs)])
    await unlessHeld(month, () => lockMonths(sql, archiveTable))
    await refuseUnknownMonth(sql, month)
    // Nobody puts anything into it any more.
    await lock(sql, month, `${partition} IN SHARE MODE`)
    if ((await countMonth(sql, month)).orders !== orders) {
      throw new Error(`${month} is not what the file holds any more, and stays: export it again`)
    }
    // Taking a part off locks the whole, for as long as the rest of this transaction takes.
    await lock(sql, month, `ONLY ${archiveTable}, ${partition} IN ACCESS EXCLUSIVE MODE`)
    await dropMonth(sql, archiveTable, month)
    const after = { orders, sha256 }
    await addToAudit(sql, [
      { actor, via: 'cli', action: 'archive.drop', subject: `archive:${month}`, outcome: 'done', after },
    ])
  })
}

async function lock(sql: Sql, month: string, what: string): Promise<void> {
  await unlessHeld(month, () => sql.query(`LOCK TABLE ${what}`))
}

/**
 * SQLSTATE lock_not_available, and deadlock_detected: a run of `bgc archive` that began before the month was over locks the
 * whole first. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const held = new Set<unknown>(['55P03', '40P01'])

async function unlessHeld(month: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && held.has(cause.code))) throw cause
    const message = `${month} stays: somebody works with the archive, a backup for example. Try again when that has ended`
    throw new Error(message, { cause })
  }
}
