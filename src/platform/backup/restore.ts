import type pg from 'pg'
import type { Sql } from '../database/database.js'
import { appliedMigrations, listMigrations, MIGRATIONS, migrate, refuseNewer } from '../database/migrate.js'
import { migrateWithin } from '../database/migrate-within.js'
import type { Checked } from './check.js'
import { refuseFilled, refuseServed, tablesOfOurs } from './empty.js'
import { load } from './load.js'
import { quoted, withSession } from './session.js'

export interface RestoreOptions {
  file: string
  /** What `checkBackup` said of it. */
  checked: Checked
  url: string
  /** Within the transaction that loads, at the schema of this release: what it throws takes everything back. */
  finish: (sql: Sql) => Promise<void>
  onProgress?: (rows: number, table: string) => void
  /** Ends it, and takes back what was not committed. */
  signal?: AbortSignal
  /** Where the migrations lie, for tests. */
  folder?: string
}

export interface Restored {
  backupAt: string
  rows: number
  /** Migrations of this release that the backup did not have. */
  applied: string[]
}

// Any number that nobody else uses, next to that of migrations.
const LOCK = 4_242_170_002

/**
 * Brings what a file holds into an empty database: all of it or nothing. The tables are made as they were when it was written;
 * then one transaction loads them and brings them to the schema of this release. A process that is killed leaves an empty
 * database.
 *
 * Throws an Error in words for operators: for a database that is not empty, that a service uses, or that a later release
 * wrote, and for a file that changed since it was checked.
 */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const { file, checked, url, finish, folder = MIGRATIONS, onProgress = () => undefined, signal } = options
  const { manifest } = checked
  return withSession(url, async (session) => {
    await lockOut(session)
    await makeTables(session, url, folder, manifest.migrations)
    await session.query('BEGIN')
    const rows = await load(session, file, { onProgress, ...(signal && { signal }) })
    const applied = await migrateWithin(session, folder)
    await finish(session)
    await session.query('COMMIT')
    await session.query(`ANALYZE ${(await tablesOfOurs(session)).map(quoted).join(', ')}`)
    return { backupAt: manifest.backup_at, rows, applied }
  })
}

/** One restore at a time. The connection of one that was killed is gone within a moment. */
async function lockOut(session: pg.Client): Promise<void> {
  await session.query(`SET lock_timeout = '5s'`)
  await session.query('SELECT pg_advisory_lock($1)', [LOCK]).catch((cause: unknown) => {
    throw new Error('another restore works on this database', { cause })
  })
  await session.query('SET lock_timeout = 0')
}

/** The schema as it was when the backup was written. Tables of another schema go, since there is nothing in them. */
async function makeTables(
  session: pg.Client,
  url: string,
  folder: string,
  migrations: readonly string[],
): Promise<void> {
  await session.query('BEGIN')
  const here = (await tablesOfOurs(session)).map(quoted).join(', ')
  if (here !== '') await session.query(`LOCK TABLE ${here} IN ACCESS EXCLUSIVE MODE`)
  await refuseServed(session)
  await refuseFilled(session)
  await refuseNewer(session, await listMigrations(folder))
  const more = (await appliedMigrations(session)).some((name) => !migrations.includes(name))
  if (more) await session.query(`DROP TABLE ${here === '' ? '' : `${here}, `}_prisma_migrations`)
  await session.query('COMMIT')
  await migrate(url, { folder, only: migrations })
}
