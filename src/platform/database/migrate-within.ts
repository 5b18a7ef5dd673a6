import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sql } from './database.js'
import { appliedMigrations, listMigrations } from './migrate.js'

/**
 * Brings a database that nobody else works on to the schema of `folder` within the caller's transaction, so that this is
 * taken back with all else. Leaves the rows that Prisma's engine would: `migrate` finds nothing to do after it. Answers the names.
 */
export async function migrateWithin(sql: Sql, folder: string): Promise<string[]> {
  const applied = await appliedMigrations(sql)
  const names = (await listMigrations(folder)).filter((name) => !applied.includes(name))
  for (const name of names) {
    const script = await readFile(join(folder, name, 'migration.sql'), 'utf8')
    await sql.query(script)
    await sql.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES (gen_random_uuid()::text, $1, $2, clock_timestamp(), clock_timestamp(), 1)`,
      [createHash('sha256').update(script).digest('hex'), name],
    )
  }
  return names
}
