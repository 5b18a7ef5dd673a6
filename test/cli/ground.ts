import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject, onTestFinished } from 'vitest'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { openDatabase } from '../../src/platform/database/database.js'
import { migrate } from '../../src/platform/database/migrate.js'
import { createLogger } from '../../src/platform/logger.js'
import { freshSchema } from '../support/postgres.js'
import { complete } from './support.js'

const key = Buffer.alloc(32, 7)
export const sealer = createSealer([{ id: 'k1', key }])

export type CliGround = Awaited<ReturnType<typeof layCliGround>>

/** What a command finds that works on a database: a migrated schema, the environment that names it, a folder for files. */
export async function layCliGround() {
  const DATABASE_URL = freshSchema(inject('databaseUrl'))
  await migrate(DATABASE_URL)
  const database = openDatabase({ url: DATABASE_URL, log: createLogger('silent') })
  const folder = await mkdtemp(join(tmpdir(), 'bgc-cli-'))
  onTestFinished(async () => {
    await database.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const env: Record<string, string> = {
    ...complete,
    DATABASE_URL,
    BGC_ENCRYPTION_KEYS: `k1:${key.toString('base64')}`,
  }
  return { database, env, folder, rows: async (text: string) => (await database.pool.query(text)).rows }
}
