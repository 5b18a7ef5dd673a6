import { markRestored } from '../../flow/reconcile/mark-restored.js'
import { refuseServed } from '../../platform/backup/empty.js'
import { withSession } from '../../platform/backup/session.js'
import type { Sql } from '../../platform/database/database.js'
import { pendingMigrations, refuseNewer } from '../../platform/database/migrate.js'
import type { Io } from '../io.js'
import { userOfCommand } from '../user.js'
import { withUrl } from '../with-url.js'
import { agrees, type RestoreFlags, whatIsHeld } from './ask.js'

/** Has a database that PostgreSQL's own tools restored treated as one that `bgc restore` brought. */
export async function runMark(asOf: Date | undefined, flags: RestoreFlags, io: Io): Promise<boolean> {
  return withUrl({ make: false }, async ({ url, words }) => {
    const what = `${words} is marked as restored: what waits may have been sent, and nothing is sent before that is known`
    if (!(await agrees(what, flags, io))) return false
    const { backupAt, held } = await withSession(url, (session) => mark(session, url, asOf))
    if (flags.json)
      io.out(`${JSON.stringify({ backup_at: backupAt.toISOString(), rows: null, applied: [], tenants_held: held })}\n`)
    else io.out(`${words} is marked as restored, as of ${backupAt.toISOString()}; ${whatIsHeld(held)}\n`)
    return true
  })
}

async function mark(sql: Sql, url: string, asOf: Date | undefined): Promise<{ backupAt: Date; held: number }> {
  await refuseNewer(sql)
  const pending = await pendingMigrations(url)
  if (pending.length > 0) throw new Error('the database is not at the schema of this release: run `bgc migrate` first')
  await sql.query('BEGIN')
  await refuseServed(sql)
  const backupAt = asOf ?? (await newest(sql))
  const held = await markRestored(sql, { backupAt, actor: userOfCommand(), by: 'mark' })
  await sql.query('COMMIT')
  return { backupAt, held }
}

async function newest(sql: Sql): Promise<Date> {
  const found = await sql.query<{ at: Date }>(
    `SELECT coalesce(greatest((SELECT max(received_at) FROM events), (SELECT max(at) FROM timeline)), now()) AS at`,
  )
  return found.rows[0]?.at ?? new Date()
}
