import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { openPool } from './pool.js'
import { UNFINISHED } from './unfinished.js'

/**
 * Brings a database to the schema of this release.
 *
 * `migrate` applies what is missing and returns the names; processes that start together wait for one another. Each
 * migration is one transaction: it is applied whole or not at all, also when the process is killed in the middle.
 * `pendingMigrations` is for readiness: one small query.
 */
export type MigrateOptions = {
  /** The PostgreSQL schema to work in; else `?schema=` of the URL, else `public`. */
  schema?: string
  folder?: string
  /** The migrations of an earlier release: only these, so that what that release wrote can be read. */
  only?: readonly string[]
}

/** `prisma/migrations`, seen from src/platform/database and from dist/platform/database alike. */
export const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url))

// Any number that nobody else uses, for the whole database: the engine has a lock of its own, but waits 10 s at most.
const LOCK = 4_242_170_001
// https://www.prisma.io/docs/orm/prisma-migrate/workflows/development-and-production#advisory-locking
const PRISMA_LOCK = 72_707_369
const LOCK_WAIT_MS = 300_000

export async function migrate(databaseUrl: string, options: MigrateOptions = {}): Promise<string[]> {
  const target = readTarget(databaseUrl, options.schema)
  const folder = options.folder ?? MIGRATIONS
  const session = await openSession(target)
  try {
    await session.query(`SET lock_timeout = ${LOCK_WAIT_MS}`)
    await session.query('SELECT pg_advisory_lock($1)', [LOCK])
    await makeSchema(session, target.schema)
    await settleKilled(session)
    await refuseFailed(session)
    const all = await listMigrations(folder)
    await refuseNewer(session, all)
    const names = all.filter((name) => options.only?.includes(name) ?? true)
    return (await missing(session, names)).length === 0 ? [] : await apply(session, target, folder, names)
  } finally {
    // The lock goes with its session.
    await session.end()
  }
}

export async function pendingMigrations(database: string | pg.Pool, options: MigrateOptions = {}): Promise<string[]> {
  const names = await listMigrations(options.folder ?? MIGRATIONS)
  if (typeof database !== 'string') return missing(database, names)
  const session = await openSession(readTarget(database, options.schema))
  try {
    return await missing(session, names)
  } finally {
    await session.end()
  }
}

type Queryable = Pick<pg.Pool | pg.Client | pg.ClientBase, 'query'>
type Target = { connection: pg.ClientConfig; schema: string }

async function openSession({ connection }: Target): Promise<pg.Client> {
  const session = new pg.Client(connection)
  // One that ends while idle is told to the next query.
  session.on('error', () => undefined)
  await session.connect()
  return session
}

async function makeSchema(session: pg.Client, schema: string): Promise<void> {
  // Asked first, since even IF NOT EXISTS takes a right that a modest role does not have.
  const { rows } = await session.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema])
  if (rows.length === 0) await session.query(`CREATE SCHEMA ${pg.escapeIdentifier(schema)}`)
}

async function apply(session: pg.Client, target: Target, folder: string, names: string[]): Promise<string[]> {
  // Loaded here only: most starts find nothing to apply.
  const { openSchemaEngine } = await import('./schema-engine.js')
  const pool = openPool({ ...target.connection, max: 2 })
  const engine = await openSchemaEngine(pool, target.schema)
  try {
    const migrationsList = await loadMigrations(folder, names)
    const filters = { externalTables: [], externalEnums: [] }
    return (await engine.applyMigrations({ migrationsList, filters })).appliedMigrationNames
  } catch (error) {
    // The engine's own message is long and lacks the cause, which is in the row.
    await refuseFailed(session, error)
    throw error
  } finally {
    engine.free()
    await pool.end()
  }
}

async function missing(database: Queryable, names: string[]): Promise<string[]> {
  const applied = new Set(await appliedMigrations(database))
  return names.filter((name) => !applied.has(name))
}

/** The migrations that a database has, in the order of their names. */
export async function appliedMigrations(database: Queryable): Promise<string[]> {
  if (!(await hasTable(database))) return []
  const { rows } = await database.query<{ migration_name: string }>(
    'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
  )
  return rows.map((row) => row.migration_name).sort()
}

/** A later release has changed the schema: what this one would write there, and overlook, nobody knows. */
export async function refuseNewer(database: Queryable, known?: readonly string[]): Promise<void> {
  const names = known ?? (await listMigrations(MIGRATIONS))
  const unknown = (await appliedMigrations(database)).filter((name) => !names.includes(name))
  if (unknown.length === 0) return
  throw new Error(
    `The database was written by a later release of bgc-bridge (it has ${unknown.join(', ')}): use that release or a later ` +
      'one. To go back to this one, restore a backup that this one or an earlier one wrote, into another database ' +
      '(BGC_DATA_DIR or DATABASE_URL).',
  )
}

/** A killed process leaves a row without an end; whether its transaction was committed is noted in the row itself. */
async function settleKilled(session: pg.Client): Promise<void> {
  if (!(await hasTable(session))) return
  const killed = `${UNFINISHED} AND logs IS NULL`
  // Whoever runs `prisma migrate deploy` at this moment is not dead, and holds this lock.
  await session.query('SELECT pg_advisory_lock($1)', [PRISMA_LOCK])
  await session.query(`UPDATE _prisma_migrations SET finished_at = now() WHERE ${killed} AND applied_steps_count > 0`)
  await session.query(
    `UPDATE _prisma_migrations SET rolled_back_at = now() WHERE ${killed} AND applied_steps_count = 0`,
  )
  await session.query('SELECT pg_advisory_unlock($1)', [PRISMA_LOCK])
}

async function refuseFailed(session: pg.Client, cause?: unknown): Promise<void> {
  if (!(await hasTable(session))) return
  const { rows } = await session.query<{ migration_name: string; logs: string | null }>(
    `SELECT migration_name, logs FROM _prisma_migrations WHERE ${UNFINISHED}`,
  )
  const [failed] = rows
  if (!failed) return
  throw new Error(
    `The migration ${failed.migration_name} failed, and nothing of it was applied. Remove its cause, then let it ` +
      `run again: UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = ` +
      `'${failed.migration_name}' AND finished_at IS NULL. What PostgreSQL said: ${failed.logs}`,
    { cause },
  )
}

async function hasTable(database: Queryable): Promise<boolean> {
  const { rows } = await database.query<{ kept: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS kept`,
  )
  return rows[0]?.kept === true
}

export async function listMigrations(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort()
}

export async function loadMigrations(folder: string, names: string[]) {
  const lockfile = { path: 'migration_lock.toml', content: await readFile(join(folder, 'migration_lock.toml'), 'utf8') }
  const migrationDirectories = await Promise.all(
    names.map(async (path) => {
      const value = await readFile(join(folder, path, 'migration.sql'), 'utf8')
      return { path, migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value } } }
    }),
  )
  return { baseDir: folder, lockfile, shadowDbInitScript: '', migrationDirectories }
}

/** pg passes an unknown `schema` on to the server, which refuses it: it becomes the search path. */
export function readTarget(databaseUrl: string, override?: string): Target {
  const url = new URL(databaseUrl)
  const schema = override ?? url.searchParams.get('schema') ?? 'public'
  url.searchParams.delete('schema')
  const path = schema === 'public' ? {} : { options: `-c search_path=${pg.escapeIdentifier(schema)}` }
  return { connection: { connectionString: url.href, ...path }, schema }
}
