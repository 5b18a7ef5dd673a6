import { resolve } from 'node:path'
import { readDatabaseConfig } from '../config.js'
import { migrate } from '../platform/database/migrate.js'
import { openEmbeddedPostgres } from '../platform/embedded/attach.js'
import { loadDotEnv } from './dot-env.js'

export interface Migrated {
  applied: string[]
  /** Which database it was, in words and without its password. */
  database: string
}

export async function migrateDatabase(): Promise<Migrated> {
  loadDotEnv()
  const { databaseUrl, dataDir } = readDatabaseConfig()
  if (databaseUrl === undefined) return migrateEmbedded(resolve(dataDir))
  return { applied: await migrate(databaseUrl), database: 'the database of DATABASE_URL' }
}

async function migrateEmbedded(dataDir: string): Promise<Migrated> {
  const server = await openEmbeddedPostgres({ dataDir })
  try {
    return { applied: await migrate(server.url), database: `the embedded database in ${dataDir}` }
  } finally {
    await server.stop()
  }
}
