import type { Sql } from '../database/database.js'
import { appliedMigrations } from '../database/migrate.js'
import { listMonths } from '../database/months.js'
import { format, type Manifest } from './manifest.js'
import { quoted } from './session.js'
import { byMonth, kept } from './tables.js'

/**
 * Begins a read-only transaction that sees one moment of the database, and says what is in it. Tables are locked before
 * that moment is taken, so that no migration comes in between; reading and writing go on beside it.
 */
export async function beginSnapshot(sql: Sql, release: string): Promise<Manifest> {
  await sql.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const names = await tablesHere(sql)
  await sql.query('COMMIT')
  await sql.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  if (names.length > 0) await sql.query(`LOCK TABLE ${names.map(quoted).join(', ')} IN ACCESS SHARE MODE`)
  const found = await sql.query<{ at: Date; version: string }>(
    `SELECT transaction_timestamp() AS at, current_setting('server_version') AS version`,
  )
  const [row] = found.rows
  if (row === undefined) throw new Error('PostgreSQL does not tell its time')
  return {
    format,
    release,
    postgres: row.version,
    backup_at: row.at.toISOString(),
    migrations: await appliedMigrations(sql),
    tables: await columnsOf(sql, names),
    months: await monthsOf(sql, names),
    sequences: await sequencesHere(sql),
  }
}

/** Of the tables that a backup holds, those that the schema has. */
async function tablesHere(sql: Sql): Promise<string[]> {
  const found = await sql.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND relname = ANY($1) ORDER BY 1`,
    [kept],
  )
  return found.rows.map((row) => row.name)
}

async function columnsOf(sql: Sql, names: readonly string[]): Promise<Manifest['tables']> {
  const found = await sql.query<{ name: string; columns: string[] }>(
    `SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped
       AND a.attgenerated = ''
     GROUP BY 1 ORDER BY 1`,
    [names],
  )
  return found.rows
}

async function monthsOf(sql: Sql, names: readonly string[]): Promise<Manifest['months']> {
  const all: Manifest['months'] = []
  for (const table of names.filter((name) => byMonth.includes(name))) {
    const months = await listMonths(sql, table)
    all.push({ table, months: months.map(({ month }) => month) })
  }
  return all
}

/** Read after the snapshot was taken: no row of it has a number that its sequence has not given yet. */
async function sequencesHere(sql: Sql): Promise<Manifest['sequences']> {
  const found = await sql.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S'
       AND EXISTS (SELECT 1 FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid WHERE d.objid = pg_class.oid
                     AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND t.relname = ANY($1))
     ORDER BY 1`,
    [kept],
  )
  const sequences: Manifest['sequences'] = []
  for (const { name } of found.rows) {
    const { rows } = await sql.query<{ last_value: string; is_called: boolean }>(
      `SELECT last_value::text, is_called FROM ${quoted(name)}`,
    )
    sequences.push(...rows.map((row) => ({ name, ...row })))
  }
  return sequences
}
