import { pendingMigrations, refuseNewer } from '../../platform/database/migrate.js'
import { checkKeys } from '../check-keys.js'
import { explain } from '../explain.js'
import { type Check, doubt, type Found, ok, wrong } from './check.js'

const leastVersion = 140_000

export const databaseCheck: Check = {
  name: 'database',
  run: async ({ database: { pool } }) => {
    const { rows } = await pool.query<{ version: string; number: number; commit: string }>(
      `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
         current_setting('synchronous_commit') AS commit`,
    )
    const [row] = rows
    if (row === undefined || row.number < leastVersion) {
      return wrong(`this is PostgreSQL ${row?.version}`, 'use PostgreSQL 14 or later')
    }
    const pooled = await isPooled(pool)
    return pooled ?? ok(`PostgreSQL ${row.version}`)
  },
}

/** Several transactions of one connection that are served by several sessions are behind a pooler in transaction mode. */
async function isPooled(pool: Pool): Promise<Found[] | undefined> {
  const clients = await Promise.all([pool.connect(), pool.connect()])
  try {
    for (const client of clients) await client.query(`SELECT set_config('bgc.doctor', 'here', false)`)
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all(
        clients.map((client) =>
          client.query<{ set: string | null }>(`SELECT current_setting('bgc.doctor', true) AS set`),
        ),
      )
      if (answers.some(({ rows }) => rows[0]?.set !== 'here')) {
        return wrong(
          'a pooler in transaction mode stands between: settings of a session are lost',
          'connect in session mode, or to PostgreSQL itself',
        )
      }
    }
    return undefined
  } finally {
    for (const client of clients) client.release(true)
  }
}

type Pool = Parameters<typeof pendingMigrations>[0] & { connect: Database['pool']['connect'] }
type Database = Parameters<Check['run']>[0]['database']

export const migrationsCheck: Check = {
  name: 'migrations',
  run: async ({ database: { pool } }) => {
    try {
      await refuseNewer(pool)
    } catch (failure) {
      return wrong(explain(failure), 'run the release that the database was made by, or a later one')
    }
    const pending = await pendingMigrations(pool)
    if (pending.length === 0) return ok('at the schema of this release')
    return wrong(`the database lacks ${pending.join(', ')}`, 'run `bgc migrate`, or start with BGC_AUTO_MIGRATE=true')
  },
}

export const keysCheck: Check = {
  name: 'encryption keys',
  run: async ({ config, database, sealer }) => {
    try {
      await checkKeys(database, sealer, { looksOnly: true })
    } catch (failure) {
      return wrong(explain(failure), 'give BGC_ENCRYPTION_KEYS every key that values were sealed with; docs/keys.md')
    }
    const [first] = config.encryptionKeys
    return first === undefined
      ? doubt('there is none', 'set BGC_ENCRYPTION_KEYS, then run `bgc keys rotate`')
      : ok(`values are sealed with ${JSON.stringify(first.id)}`)
  },
}
