import pg from 'pg'
import { readTarget } from '../database/migrate.js'

/** How rows are written as text, whatever the server's or the role's defaults are: alike when they are read. */
const settings = [
  `SET client_encoding = 'UTF8'`,
  `SET datestyle = 'ISO, YMD'`,
  `SET intervalstyle = 'postgres'`,
  `SET timezone = 'UTC'`,
  `SET bytea_output = 'hex'`,
  'SET extra_float_digits = 1',
  // None of the limits that the server or the role has for others, of those that this release of PostgreSQL knows.
  `SELECT set_config(name, '0', false) FROM pg_settings WHERE name = ANY('{statement_timeout,lock_timeout,
     idle_in_transaction_session_timeout,idle_session_timeout,transaction_timeout}')`,
  // What is restored must be on disk when the command says so.
  'SET synchronous_commit = on',
]

/** A connection of its own for a long transaction. `?schema=` of the URL names the schema, as everywhere. */
export async function withSession<T>(url: string, work: (session: pg.Client) => Promise<T>): Promise<T> {
  const session = new pg.Client({ ...readTarget(url).connection, application_name: 'bgc-bridge backup' })
  // One that breaks is told by the query that it breaks.
  session.on('error', () => undefined)
  await session.connect()
  try {
    await session.query(settings.join('; '))
    return await work(session)
  } finally {
    // In the middle of a COPY this breaks the connection off, and PostgreSQL rolls back.
    await session.end()
  }
}

export function quoted(name: string): string {
  return pg.escapeIdentifier(name)
}

/** How many rows end in a piece of COPY's text: a row is a line, and what breaks lines within values is escaped. */
export function countLines(chunk: Buffer): number {
  let lines = 0
  for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1
  return lines
}
