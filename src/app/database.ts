import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Config } from '../config.js'
import { admitKeys } from '../flow/rotation/admit.js'
import { marksOf } from '../platform/crypto/key-marks.js'
import { createSealer, SealError } from '../platform/crypto/sealer.js'
import { type Database, openDatabase } from '../platform/database/database.js'
import { migrate, pendingMigrations, refuseNewer } from '../platform/database/migrate.js'
import type { Lifetime, Started } from '../platform/lifetime.js'
import type { Logger } from '../platform/logger.js'
import { holdSingleton } from '../platform/singleton.js'

/** DATABASE_URL's or a PostgreSQL of its own, at the schema of this release. */
export async function startDatabase(config: Config, log: Logger, lifetime: Lifetime): Promise<Database> {
  const url = config.databaseUrl ?? (await lifetime.start(startEmbedded(config, log))).url
  if (config.autoMigrate) {
    const applied = await migrate(url)
    if (applied.length > 0) log.info({ event: 'database.migrated', applied }, 'migrations were applied')
  }
  const { encryptionKeys: keys } = config
  const database = lifetime.add(openDatabase({ url, log, keyMarks: marksOf(createSealer(keys), keys) }))
  if (!config.autoMigrate) await refuseOtherSchema(database)
  return database
}

/** What nobody brings to the schema of this release has to be at it: a start would fail in the middle, or overlook what is new. */
async function refuseOtherSchema({ pool }: Database): Promise<void> {
  await refuseNewer(pool)
  const pending = await pendingMigrations(pool)
  if (pending.length === 0) return
  const lacking = `the database lacks ${pending.join(', ')}, and BGC_AUTO_MIGRATE is false`
  throw new Error(`${lacking}: run \`bgc migrate\` with this release first`)
}

/** Without a key that rows lie under the service would fail at each of them. */
export async function checkKeys(database: Database, { encryptionKeys }: Config): Promise<void> {
  try {
    await admitKeys(database, createSealer(encryptionKeys))
  } catch (failure) {
    if (!(failure instanceof SealError)) throw failure
    throw new Error('the encryption keys do not fit this database, as docs/keys.md explains', { cause: failure })
  }
}

async function startEmbedded(config: Config, log: Logger) {
  const { startEmbeddedPostgres } = await import('../platform/embedded/postgres.js')
  return startEmbeddedPostgres({
    dataDir: resolve(config.dataDir),
    log: (event, fields) => log.info({ event: `embedded.${event}`, postgres: fields }, 'embedded PostgreSQL'),
  })
}

export function beTheOnlyOne(database: Database, log: Logger, fail: (reason: string) => void): Promise<Started> {
  return holdSingleton(database.pool, {
    name: 'queue',
    host: hostname(),
    pid: process.pid,
    log,
    onLost: () => fail('another process took over while this one was suspended'),
  })
}
