import { inject } from 'vitest'
import { createSealer, type Sealer } from '../../src/platform/crypto/sealer.js'
import { type Database, openDatabase } from '../../src/platform/database/database.js'
import { migrate } from '../../src/platform/database/migrate.js'
import { createLogger, type Logger } from '../../src/platform/logger.js'
import { freshSchema } from './postgres.js'

/** What every room stands on: a migrated schema of its own, keys, and a log that can be read. */
export interface Ground {
  url: string
  database: Database
  sealer: Sealer
  log: Logger
  lines: string[]
  /** Another process on the same database. */
  another(): Database
  stop(): Promise<void>
}

export async function layGround(): Promise<Ground> {
  const url = freshSchema(inject('databaseUrl'))
  await migrate(url)
  const lines: string[] = []
  const log = createLogger('debug', { write: (line) => lines.push(line) })
  const opened: Database[] = []
  const open = () => {
    const database = openDatabase({ url, log })
    opened.push(database)
    return database
  }
  return {
    url,
    database: open(),
    sealer: createSealer([{ id: 'k1', key: Buffer.alloc(32, 7) }]),
    log,
    lines,
    another: open,
    stop: async () => {
      await Promise.all(opened.map((database) => database.stop()))
    },
  }
}

/** One row, and it is there. */
export async function one<Row>(database: Pick<Database, 'pool'>, sql: string, values: unknown[] = []): Promise<Row> {
  const { rows } = await database.pool.query(sql, values)
  if (rows.length !== 1) throw new Error(`expected one row, got ${rows.length}`)
  return rows[0] as Row
}

export async function count(database: Pick<Database, 'pool'>, from: string, values: unknown[] = []): Promise<number> {
  return (await one<{ n: number }>(database, `SELECT count(*)::int AS n FROM ${from}`, values)).n
}

let lastId = 7_400_000_000_000_000_000n

/** An id as Feishu makes them, new each time. */
export function freshId(): string {
  lastId += 1n
  return String(lastId)
}
