import { resolve } from 'node:path'
import { type Config, readConfig } from '../config.js'
import { marksOf } from '../platform/crypto/key-marks.js'
import { createSealer, type Sealer } from '../platform/crypto/sealer.js'
import { type Database, openDatabase } from '../platform/database/database.js'
import { pendingMigrations, refuseNewer } from '../platform/database/migrate.js'
import { hasEmbeddedData, openEmbeddedPostgres } from '../platform/embedded/attach.js'
import { Lifetime } from '../platform/lifetime.js'
import { createLogger } from '../platform/logger.js'
import { checkKeys } from './check-keys.js'
import { loadDotEnv } from './dot-env.js'
import { untilSignal } from './until-signal.js'

/** What a command of the operator works with. */
export interface CommandParts {
  database: Database
  sealer: Sealer
  config: Config
}

export interface WithDatabaseOptions {
  /** The command judges the keys by itself, and seals nothing before it has. */
  looksOnly?: boolean
  /** It seals nothing at all: a key of its own that nobody else has is not one that the service needs from then on. */
  onlyReads?: boolean
}

/**
 * Gives a command the database of the service, running or not: that of DATABASE_URL, or the embedded one in BGC_DATA_DIR,
 * which is joined where a service runs on it and else runs for as long as the command does.
 *
 * Throws a ConfigError with every complaint about the environment; an Error that says what to do when the database is
 * not there, waits for migrations, or was sealed with keys that BGC_ENCRYPTION_KEYS lacks; and whatever `work` throws.
 * A signal ends the command with an error as soon as the transaction under way has ended.
 */
export async function withDatabase<T>(
  work: (parts: CommandParts) => Promise<T>,
  options: WithDatabaseOptions = {},
): Promise<T> {
  loadDotEnv()
  const config = readConfig()
  const told = untilSignal().then((name) => {
    throw new Error(`ended by ${name}: what was done until then stays, and nothing was left half done`)
  })
  const lifetime = new Lifetime()
  try {
    return await Promise.race([told, run(config, lifetime, work, options)])
  } finally {
    await lifetime.stop()
  }
}

async function run<T>(
  config: Config,
  lifetime: Lifetime,
  work: (parts: CommandParts) => Promise<T>,
  { looksOnly = false, onlyReads = false }: WithDatabaseOptions,
): Promise<T> {
  const url = config.databaseUrl ?? (await lifetime.start(openEmbedded(resolve(config.dataDir)))).url
  const sealer = createSealer(config.encryptionKeys)
  const shown = looksOnly || onlyReads ? {} : { keyMarks: marksOf(sealer, config.encryptionKeys) }
  // A connection that breaks is told by the query that it breaks.
  const database = lifetime.add(openDatabase({ url, log: createLogger('silent'), connections: 4, ...shown }))
  await refusePending(database)
  if (!looksOnly) await checkKeys(database, sealer, { looksOnly: onlyReads })
  return work({ database, sealer, config })
}

async function openEmbedded(dataDir: string) {
  if (await hasEmbeddedData(dataDir)) return openEmbeddedPostgres({ dataDir })
  throw new Error(
    `there is no database in ${dataDir}: check BGC_DATA_DIR or set DATABASE_URL as the service has it, or make one with \`bgc migrate\``,
  )
}

async function refusePending(database: Database): Promise<void> {
  await refuseNewer(database.pool)
  const pending = await pendingMigrations(database.pool)
  if (pending.length === 0) return
  throw new Error(
    `the database is not at the schema of this release, which lacks ${pending.join(', ')}: run \`bgc migrate\` first`,
  )
}
