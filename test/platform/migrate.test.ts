import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { diffMigrations } from '../../src/platform/database/diff.js'
import { listMigrations, MIGRATIONS, migrate, pendingMigrations } from '../../src/platform/database/migrate.js'
import { openPool } from '../../src/platform/database/pool.js'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded/postgres.js'
import { query } from './embedded-kit.js'

const INIT = 'CREATE TABLE things (id INT PRIMARY KEY, state TEXT NOT NULL);'
const SECOND = `ALTER TABLE things ADD COLUMN n INT;
CREATE FUNCTION two() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 2; END; $$;`

let root: string
let server: EmbeddedPostgres
let count = 0

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bgc-migrate-'))
  server = await startEmbeddedPostgres({ dataDir: join(root, 'data') })
})

afterAll(async () => {
  await server.stop()
  await rm(root, { recursive: true, force: true })
})

async function folderWith(scripts: Record<string, string>): Promise<string> {
  const folder = join(root, `migrations-${++count}`)
  await mkdir(folder)
  await writeFile(join(folder, 'migration_lock.toml'), 'provider = "postgresql"\n')
  for (const [name, sql] of Object.entries(scripts)) {
    await mkdir(join(folder, name))
    await writeFile(join(folder, name, 'migration.sql'), sql)
  }
  return folder
}

const target = async (scripts: Record<string, string>) => ({ folder: await folderWith(scripts), schema: `s_${count}` })

describe('migrate', () => {
  it('applies what is missing, in order, in the schema of the option or of the URL', async () => {
    const { folder, schema } = await target({ '1_init': INIT, '2_second': SECOND })
    expect(await pendingMigrations(server.url, { folder, schema })).toEqual(['1_init', '2_second'])
    expect(await migrate(server.url, { folder, schema })).toEqual(['1_init', '2_second'])
    expect(await migrate(server.url, { folder, schema })).toEqual([])
    expect(await pendingMigrations(server.url, { folder, schema })).toEqual([])
    expect(await query(server.url, `SELECT n, ${schema}.two() FROM ${schema}.things`)).toEqual([])
    expect(await migrate(`${server.url}?schema=by_url`, { folder })).toEqual(['1_init', '2_second'])
    expect(await pendingMigrations(`${server.url}?schema=by_url`, { folder })).toEqual([])
    expect(await query(server.url, 'SELECT id FROM by_url.things')).toEqual([])
  })

  it('adds a later release to an earlier one, and tells a pool what is pending', async () => {
    const { folder, schema } = await target({ '1_init': INIT })
    await migrate(server.url, { folder, schema })
    await cp(join(await folderWith({ '2_second': SECOND }), '2_second'), join(folder, '2_second'), { recursive: true })
    const pool = openPool({ connectionString: server.url, options: `-c search_path=${schema}` })
    onTestFinished(() => pool.end())
    expect(await pendingMigrations(pool, { folder })).toEqual(['2_second'])
    expect(await migrate(server.url, { folder, schema })).toEqual(['2_second'])
    expect(await pendingMigrations(pool, { folder })).toEqual([])
  })

  it('is done once by processes that start together', async () => {
    const slow = `SELECT pg_sleep(0.1); ${INIT}`
    const { folder, schema } = await target({ '1_init': slow, '2_second': SECOND })
    const applied = await Promise.all(Array.from({ length: 4 }, () => migrate(server.url, { folder, schema })))
    expect(applied.flat()).toEqual(['1_init', '2_second'])
  })

  it('leaves nothing of a migration that fails, and names it at the next start until it is settled', async () => {
    const { folder, schema } = await target({ '1_init': `${INIT} SELECT 1/0;` })
    await expect(migrate(server.url, { folder, schema })).rejects.toThrow(/1_init.*division by zero/s)
    expect(await query(server.url, `SELECT to_regclass('${schema}.things') AS found`)).toEqual([{ found: null }])
    const failed = await migrate(server.url, { folder, schema }).catch((error: unknown) => String(error))
    expect(failed).toMatch(/migration 1_init failed, and nothing.*UPDATE _prisma_migrations.*division by zero/s)
    expect(await pendingMigrations(server.url, { folder, schema })).toEqual(['1_init'])
    await writeFile(join(folder, '1_init/migration.sql'), INIT)
    await query(server.url, `UPDATE ${schema}._prisma_migrations SET rolled_back_at = now()`)
    expect(await migrate(server.url, { folder, schema })).toEqual(['1_init'])
  })

  it('goes on by itself after a process that was killed in the middle', async () => {
    const { folder, schema } = await target({ '1_init': INIT, '2_second': SECOND })
    await migrate(server.url, { folder, schema })
    const undo = `SET search_path = ${schema}; UPDATE _prisma_migrations SET finished_at = NULL`
    await query(server.url, undo)
    expect(await migrate(server.url, { folder, schema })).toEqual([])
    await query(server.url, `${undo}, applied_steps_count = 0 WHERE migration_name = '2_second'`)
    await query(server.url, `SET search_path = ${schema}; DROP FUNCTION two; ALTER TABLE things DROP COLUMN n`)
    expect(await migrate(server.url, { folder, schema })).toEqual(['2_second'])
  })
})

describe('the difference between migrations and schema', () => {
  const model = (more: string) => `
generator client {
  provider = "prisma-client"
  previewFeatures = ["partialIndexes"]
}
datasource db {
  provider = "postgresql"
}
model Thing {
  id Int @id
  state String
  n Int?
  ${more}
  @@map("things")
}`

  async function emptyDatabase(): Promise<string> {
    const name = `empty_${++count}`
    await query(server.url, `CREATE DATABASE ${name}`)
    const url = new URL(server.url)
    url.pathname = name
    return url.href
  }

  it('is nothing when they agree, partial indexes and functions included', async () => {
    const index = `CREATE INDEX ready ON things (n) WHERE state = 'ready' AND n IS NOT NULL;`
    const folder = await folderWith({ '1_init': INIT, '2_second': SECOND, '3_index': index })
    const datamodel = model(`@@index([n], map: "ready", where: raw("state = 'ready' AND n IS NOT NULL"))`)
    expect(await diffMigrations(await emptyDatabase(), folder, datamodel)).toBeNull()
  })

  it('is the SQL that is missing', async () => {
    const folder = await folderWith({ '1_init': INIT, '2_second': SECOND })
    const sql = await diffMigrations(await emptyDatabase(), folder, model('@@index([state], map: "states")'))
    expect(sql).toContain('CREATE INDEX "states" ON "things"("state");')
  })

  it('counts the migrations of this release', async () => {
    expect(await listMigrations(MIGRATIONS)).not.toEqual([])
  })
})
