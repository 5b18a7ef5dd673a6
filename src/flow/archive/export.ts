import { createHash } from 'node:crypto'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { writeWhole } from '../../platform/backup/file.js'
import type { Database, Sql } from '../../platform/database/database.js'
import { firstDayOf } from '../../platform/database/months.js'
import { dropExported } from './drop.js'
import { checkArchiveFile, format, type Manifest } from './file.js'
import { refuseUnfinished, refuseUnknownMonth } from './months.js'
import { lookAtReplaced, refuseFewer } from './replace.js'
import { archiveTable } from './table.js'

export interface ExportOptions {
  database: Database
  month: string
  file: string
  /** Takes the month off once the file was read back. */
  drop: boolean
  release: string
  /** The user of the command line. */
  actor: string
  onProgress?: (orders: number) => void
  /** How long a drop waits for those that read the archive. */
  waitMs?: number
}

export interface Exported extends Manifest {
  bytes: number
}

/**
 * Writes a month of the archive to a file that is there whole or not at all, and reads it back. A file that has another month,
 * or more of this one, is not replaced. Throws an Error in words for operators; the month is then where it was.
 */
export async function exportMonth(options: ExportOptions): Promise<Exported> {
  const { database, month, file, drop, actor, waitMs } = options
  await refuseUnknownMonth(database.pool, month)
  if (drop) await refuseUnfinished(database.pool, month)
  const replaced = await lookAtReplaced(file, month)
  const { result: written, bytes } = await writeWhole(file, async (out) => {
    const manifest = await write(options, out)
    refuseFewer(file, replaced, manifest.orders)
    return manifest
  })
  const read = await checkArchiveFile(file)
  if (read.sha256 !== written.sha256)
    throw new Error(`${file} reads in another way than it was written; nothing was dropped`)
  if (drop) await dropExported(database, { ...read, actor, ...(waitMs !== undefined && { waitMs }) })
  return { ...read, bytes }
}

/** A month that is over does not change; of one that is not, what is there is taken. */
async function write(options: ExportOptions, out: Writable): Promise<Manifest> {
  const { month } = options
  const hash = createHash('sha256')
  let orders = 0
  let manifest: Manifest | undefined
  const lines = async function* () {
    for await (const line of linesOf(options, (count) => (orders = count))) {
      hash.update(line)
      yield line
    }
    manifest = { format, month, orders, sha256: hash.digest('hex') }
    yield `${JSON.stringify({ manifest })}\n`
  }
  await pipeline(Readable.from(lines()), createGzip(), out)
  if (manifest === undefined) throw new Error('the month was not read to its end')
  return manifest
}

const page = 500

/** By the ids of orders, as many at a time as memory takes whatever the month has. */
async function* linesOf(
  { database, month, release, onProgress }: ExportOptions,
  onOrders: (orders: number) => void,
): AsyncGenerator<string> {
  yield `${JSON.stringify({ bgc_archive: format, month, release, exported_at: new Date().toISOString() })}\n`
  let orders = 0
  let after = ''
  for (;;) {
    const rows = await readPage(database.pool, month, after)
    for (const { line } of rows) yield `${line}\n`
    after = rows.at(-1)?.id ?? after
    orders += rows.length
    onOrders(orders)
    onProgress?.(orders)
    if (rows.length < page) return
  }
}

async function readPage(sql: Sql, month: string, after: string): Promise<Array<{ id: string; line: string }>> {
  const found = await sql.query<{ id: string; line: string }>(
    `SELECT background_check_id AS id, json_build_object('background_check_id', background_check_id,
       'archived_at', ${rfc3339('archived_at')}, 'ended_at', ${rfc3339('ended_at')}, 'document', document)::text AS line
     FROM ${archiveTable} WHERE month = $1::date AND background_check_id > $2 ORDER BY background_check_id LIMIT ${page}`,
    [firstDayOf(month), after],
  )
  return found.rows
}

function rfc3339(column: string): string {
  return `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
}
