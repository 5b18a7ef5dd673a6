// For developers. `node scripts/migration.mjs NAME` writes the migration that leads from prisma/migrations to
// prisma/schema.prisma; `node scripts/migration.mjs --check` fails when there is a difference. Both work in a
// PostgreSQL of their own that is thrown away.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tsImport } from 'tsx/esm/api'

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))
const { startEmbeddedPostgres } = await tsImport('../src/platform/embedded/postgres.ts', import.meta.url)
const { diffMigrations } = await tsImport('../src/platform/database/diff.ts', import.meta.url)
const folder = at('prisma/migrations')

async function difference() {
  const dataDir = await mkdtemp(join(tmpdir(), 'bgc-migration-'))
  const server = await startEmbeddedPostgres({ dataDir })
  try {
    return await diffMigrations(server.url, folder, await readFile(at('prisma/schema.prisma'), 'utf8'))
  } finally {
    await server.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function writeMigration(name, sql) {
  const stamp = new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14)
  const path = join(folder, `${stamp}_${name}`)
  await mkdir(path)
  await writeFile(join(path, 'migration.sql'), sql)
  console.log(`wrote prisma/migrations/${stamp}_${name}/migration.sql`)
}

const [argument] = process.argv.slice(2)
if (argument !== '--check' && !/^[a-z0-9_]{1,80}$/.test(argument ?? '')) {
  console.error('usage: node scripts/migration.mjs NAME (a-z, 0-9, _) | --check')
  process.exit(2)
}
await mkdir(folder, { recursive: true })
await writeFile(join(folder, 'migration_lock.toml'), 'provider = "postgresql"\n')
const sql = await difference()
if (sql === null) {
  console.log('prisma/migrations lead to prisma/schema.prisma')
} else if (argument === '--check') {
  console.error(`prisma/migrations do not lead to prisma/schema.prisma; this is missing:\n\n${sql}`)
  process.exitCode = 1
} else {
  await writeMigration(argument, sql)
}
