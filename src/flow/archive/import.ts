import type { Database, Sql } from '../../platform/database/database.js'
import { ensureMonth, firstDayOf, partitionOf } from '../../platform/database/months.js'
import { archivedHash } from '../archived.js'
import { addToAudit } from '../audit.js'
import { checkArchiveFile, readArchiveFile } from './file.js'
import { archiveTable } from './table.js'

export interface ImportOptions {
  database: Database
  file: string
  /** The user of the command line. */
  actor: string
  onProgress?: (orders: number) => void
  /** How long it waits for who works with the month. */
  waitMs?: number
}

export interface ImportedMonth {
  month: string
  imported: number
  /** Those that the archive has, and those that live: they stay as they are. */
  existing: number
}

/** SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const heldBy = new Map<unknown, string>([
  ['42P01', 'was dropped at this moment'],
  ['55P03', 'is being dropped just now'],
])

/** Orders of a statement, and how long their JSON may become: PostgreSQL takes 256 MB. */
const page = 500
const pageSize = 8 << 20

/**
 * Brings an exported month back, whole or not at all, with its line in the audit. The file is read to its end before anything
 * is written. Throws an Error in words for operators.
 */
export async function importMonth(options: ImportOptions): Promise<ImportedMonth> {
  const { database, file, actor, onProgress = () => undefined, waitMs = 5000 } = options
  const { month, orders, sha256 } = await checkArchiveFile(file)
  // By itself, since whoever begins a month waits for it; empty, it does no harm.
  await database.transaction((sql) => ensureMonth(sql, archiveTable, month))
  return database.transaction(async (sql) => {
    await holdMonth(sql, month, waitMs)
    let imported = 0
    let seen = 0
    for await (const lines of pagesOf(file, sha256)) {
      imported += await insert(sql, month, lines)
      seen += lines.length
      onProgress(seen)
    }
    const after = { orders: imported, sha256 }
    const entry = { action: 'archive.import', subject: `archive:${month}`, outcome: 'done', after } as const
    await addToAudit(sql, [{ actor, via: 'cli', ...entry }])
    return { month, imported, existing: orders - imported }
  })
}

/** One import of it at a time, and nobody drops it meanwhile. */
async function holdMonth(sql: Sql, month: string, waitMs: number): Promise<void> {
  const asked = await sql.query<{ mine: boolean }>(
    'SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS mine',
    [`import:${archiveTable}:${month}`],
  )
  if (asked.rows[0]?.mine !== true) throw new Error(`another import of ${month} is under way`)
  // The month first, as in a drop, which holds it while it waits for the whole.
  const text = `LOCK TABLE ${partitionOf(archiveTable, month)}, ONLY ${archiveTable} IN ROW EXCLUSIVE MODE`
  await sql.query(`SELECT set_config('lock_timeout', $1, true)`, [String(waitMs)])
  await sql.query(text).catch((cause: unknown) => {
    const words = cause instanceof Error && 'code' in cause ? heldBy.get(cause.code) : undefined
    throw words === undefined ? cause : new Error(`${month} ${words}: try again`, { cause })
  })
  await sql.query(`SELECT set_config('lock_timeout', '0', true)`)
}

async function* pagesOf(file: string, sha256: string): AsyncGenerator<string[]> {
  let waiting: string[] = []
  let size = 0
  for await (const part of readArchiveFile(file)) {
    if (part.kind === 'manifest' && part.manifest.sha256 !== sha256)
      throw new Error(`${file} changed while it was read`)
    if (part.kind !== 'order') continue
    waiting.push(part.line)
    size += part.line.length
    if (waiting.length < page && size < pageSize) continue
    yield waiting
    waiting = []
    size = 0
  }
  if (waiting.length > 0) yield waiting
}

/** Answers how many were not here. PostgreSQL reads the JSON: numbers stay as they are. */
async function insert(sql: Sql, month: string, lines: readonly string[]): Promise<number> {
  const inserted = await sql.query<{ id: string }>(
    `INSERT INTO ${archiveTable} (background_check_id, month, archived_at, ended_at, app_id, tenant_key, account_id,
       vendor_order_id, document)
     SELECT w.id, $2::date, (l->>'archived_at')::timestamptz, (l->>'ended_at')::timestamptz, l->'document'->>'app_id',
       l->'document'->>'tenant_key', l->'document'->>'account_id', l->'document'->>'vendor_order_id', l->'document'
     FROM jsonb_array_elements($1::jsonb) AS l CROSS JOIN LATERAL (SELECT l->>'background_check_id' AS id) w
     WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.background_check_id = w.id)
       AND NOT EXISTS (SELECT 1 FROM ${archiveTable} a WHERE a.background_check_id = w.id)
     ON CONFLICT DO NOTHING RETURNING background_check_id AS id`,
    [`[${lines.join(',')}]`, firstDayOf(month)],
  )
  const ids = inserted.rows.map((row) => row.id)
  await sql.query(
    `INSERT INTO archived_checks AS c (hash, month) SELECT ${archivedHash('w.id')}, $2::date FROM unnest($1::text[]) AS w (id)
     ORDER BY 1 ON CONFLICT (hash) DO UPDATE SET month = excluded.month`,
    [ids, firstDayOf(month)],
  )
  return ids.length
}
