import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { inject, onTestFinished } from 'vitest'
import { checkBackup } from '../../src/platform/backup/check.js'
import { writeWhole } from '../../src/platform/backup/file.js'
import { type RestoreOptions, restoreBackup } from '../../src/platform/backup/restore.js'
import { kept } from '../../src/platform/backup/tables.js'
import { writeBackup } from '../../src/platform/backup/write.js'
import { listMigrations, MIGRATIONS, migrate } from '../../src/platform/database/migrate.js'
import { ensureMonth } from '../../src/platform/database/months.js'
import { emptyDatabase } from '../support/empty-database.js'

export const nothing = () => emptyDatabase(inject('databaseUrl'))

/** A database at the schema of this release, and somebody who asks it. */
export async function migrated(): Promise<{ url: string; client: pg.Client }> {
  const url = await nothing()
  await migrate(url)
  return { url, client: await connect(url) }
}

export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'bgc-backup-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

export async function backUp(url: string): Promise<string> {
  const file = join(await folder(), 'backup.tar.gz')
  await writeWhole(file, (out) => writeBackup({ url, release: '0.0.0' }, out))
  return file
}

/** Checks the file and restores it, with nothing more to do. */
export async function restore(file: string, url: string, more: Partial<RestoreOptions> = {}) {
  const checked = await checkBackup(file, await listMigrations(more.folder ?? MIGRATIONS))
  return restoreBackup({ file, checked, url, finish: async () => undefined, ...more })
}

/** Every row of what a backup holds, as text. */
export async function allRows(client: pg.Client): Promise<Record<string, string[]>> {
  const rows: Record<string, string[]> = {}
  for (const table of kept) {
    const found = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${table} t ORDER BY 1`)
    rows[table] = found.rows.map(({ row }) => row)
  }
  return rows
}

/** Rows in every table, of all that its columns may hold: line breaks, tabs, quotes, backslashes, nulls, bytes, no text. */
export async function fillAll(client: pg.Client, rows = 3): Promise<void> {
  const columns = await client.query<{ table: string; name: string; type: string; open: boolean }>(
    `SELECT c.relname AS table, a.attname AS name, format_type(a.atttypid, NULL) AS type, NOT a.attnotnull AS open
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
       AND c.relname <> '_prisma_migrations' AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NULL
     ORDER BY c.relname, a.attnum`,
  )
  for (let row = 0; row < rows; row += 1) await ensureMonth(client, 'archived_orders', `2026-0${row + 1}`)
  for (const table of new Set(columns.rows.map((each) => each.table))) {
    const its = columns.rows.filter((each) => each.table === table)
    for (let row = 0; row < rows; row += 1) {
      const values = its.map(({ type, open }) => (open && row === 1 ? null : valueFor(type, row)))
      const names = its.map(({ name }) => `"${name}"`).join(', ')
      await client.query(
        `INSERT INTO "${table}" (${names}) VALUES (${its.map((_each, index) => `$${index + 1}`).join(', ')})`,
        values,
      )
    }
  }
}

const texts = ['tab\there, line\nbreak, back\\slash, \\N, \\.', '"quotes", \'single\', 姓名 🙂', '']

function valueFor(type: string, row: number): unknown {
  const text = `${texts[row % texts.length]}${row}`
  switch (type) {
    case 'text':
      return text
    case 'bytea':
      return Buffer.from([0, 10, 9, 92, 255, row])
    case 'boolean':
      return row % 2 === 0
    case 'integer':
      return row - 1
    case 'bigint':
      return String(9_007_199_254_740_993n + BigInt(row))
    case 'jsonb':
      return JSON.stringify({ text, list: [1, null, { a: '\\n' }] })
    case 'text[]':
      return [text, 'a,b', '{}']
    case 'integer[]':
      return [row, 2]
    case 'uuid':
      return `00000000-0000-4000-8000-00000000000${row}`
    case 'date':
      return `2026-0${row + 1}-01`
    case 'timestamp with time zone':
      return `2026-01-0${row + 1}T03:04:05.678901+05:30`
    default:
      throw new Error(`no value for a column of type ${type}`)
  }
}
