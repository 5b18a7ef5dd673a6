import { listMigrations, loadMigrations } from './migrate.js'
import { openPool } from './pool.js'
import { openSchemaEngine } from './schema-engine.js'

/** The SQL that leads from the migrations to the schema, null when they agree. Works in an empty database, and fills it. */
export async function diffMigrations(emptyUrl: string, folder: string, datamodel: string): Promise<string | null> {
  const pool = openPool({ connectionString: emptyUrl })
  try {
    const engine = await openSchemaEngine(pool, 'public', datamodel)
    const { exitCode, stdout } = await engine.diff({
      from: { tag: 'migrations', ...(await loadMigrations(folder, await listMigrations(folder))) },
      to: { tag: 'schemaDatamodel', files: [{ path: 'schema.prisma', content: datamodel }] },
      script: true,
      exitCode: true,
      filters: { externalTables: [], externalEnums: [] },
    })
    engine.free()
    return exitCode === 0 ? null : (stdout ?? '')
  } finally {
    await pool.end()
  }
}
