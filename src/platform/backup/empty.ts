import { worksIn } from '../database/application-name.js'
import type { Sql } from '../database/database.js'
import { quoted } from './session.js'
import { facts, ours } from './tables.js'

/** Tables of ours that the schema has. */
export async function tablesOfOurs(sql: Sql): Promise<string[]> {
  const found = await sql.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND relname = ANY($1) ORDER BY 1`,
    [ours],
  )
  return found.rows.map((row) => row.name)
}

/** Nothing that a service has learned may be lost. Throws an Error in words for operators. */
export async function refuseFilled(sql: Sql): Promise<void> {
  const here = await tablesOfOurs(sql)
  const factual: readonly string[] = facts
  const filled: string[] = []
  for (const name of here.filter((each) => factual.includes(each))) {
    const { rows } = await sql.query<{ any: boolean }>(`SELECT EXISTS (SELECT 1 FROM ${quoted(name)}) AS any`)
    if (rows[0]?.any) filled.push(name)
  }
  if (filled.length === 0) return
  throw new Error(
    `the database is not empty (${filled.join(', ')}), and a restore replaces nothing: name an empty one, with another ` +
      'BGC_DATA_DIR or another DATABASE_URL',
  )
}

/** As a service beats in `process_leases` and names its connections (src/platform/singleton.ts, application-name.ts). */
const aliveMs = 15_000

/** A service would go on with what it knew before. Throws an Error in words for operators. */
export async function refuseServed(sql: Sql): Promise<void> {
  if ((await tablesOfOurs(sql)).includes('process_leases')) {
    const found = await sql.query<{ host: string; pid: number; ago_ms: number }>(
      `SELECT host, pid, (extract(epoch FROM clock_timestamp() - beat_at) * 1000)::int AS ago_ms FROM process_leases
       WHERE beat_at > clock_timestamp() - $1 * interval '1 ms'`,
      [aliveMs],
    )
    const [alive] = found.rows
    if (alive !== undefined) {
      throw new Error(
        `a service uses this database: process ${alive.pid} on ${alive.host}, alive ${alive.ago_ms} ms ago. Stop it first; if ` +
          'it was killed, try again in 15 s',
      )
    }
  }
  const connected = await sql.query<{ name: string; schema: string }>(
    `SELECT application_name AS name, coalesce(current_schema(), '') AS schema FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  )
  if (connected.rows.some(({ name, schema }) => worksIn(schema, name))) {
    throw new Error('a service or a command is connected to this database: stop every process of bgc-bridge first')
  }
}
