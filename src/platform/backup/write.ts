import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { pack as createPack, type Pack } from 'tar-stream'
import { refuseNewer } from '../database/migrate.js'
import { type Manifest, manifestName, pieceName, type Sums, sumsName } from './manifest.js'
import { countLines, quoted, withSession } from './session.js'
import { beginSnapshot } from './snapshot.js'
import { byMonth } from './tables.js'

/** What was written. */
export interface Written {
  backupAt: string
  tables: number
  rows: number
}

export interface WriteOptions {
  url: string
  /** The release that writes it. */
  release: string
  /** Rows so far. */
  onProgress?: (rows: number, table: string) => void
  signal?: AbortSignal
}

/** A piece in memory, and no more of a table at a time. */
const pieceBytes = 1 << 20

/**
 * Writes all that the database holds, as one moment saw it, while others go on writing. What is sealed stays sealed.
 * Throws when the database or `out` fails; `out` then has a part that `readBackup` refuses.
 */
export async function writeBackup(
  { url, release, onProgress, signal }: WriteOptions,
  out: NodeJS.WritableStream,
): Promise<Written> {
  return withSession(url, async (session) => {
    await refuseNewer(session)
    const manifest = await beginSnapshot(session, release)
    const tar = createPack()
    const packing = pack(session, tar, manifest, onProgress ?? (() => undefined)).catch((failure: unknown) => {
      tar.destroy(failure instanceof Error ? failure : new Error('a table could not be read', { cause: failure }))
      throw failure
    })
    const [rows] = await Promise.all([packing, pipeline(tar, createGzip(), out, { ...(signal && { signal }) })])
    await session.query('COMMIT')
    return { backupAt: manifest.backup_at, tables: manifest.tables.length, rows }
  })
}

async function pack(
  session: pg.Client,
  tar: Pack,
  manifest: Manifest,
  onProgress: (rows: number, table: string) => void,
): Promise<number> {
  const sums: Sums = { members: [], tables: [] }
  const add = async (name: string, bytes: Buffer) => {
    await addMember(tar, name, bytes, new Date(manifest.backup_at))
    sums.members.push({ name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })
  }
  let before = 0
  await add(manifestName, asJson(manifest))
  for (const table of manifest.tables) {
    const rows = await copyTable(session, table, async (number, piece, rowsSoFar) => {
      await add(pieceName(table.name, number), piece)
      onProgress(before + rowsSoFar, table.name)
    })
    before += rows
    sums.tables.push({ name: table.name, rows })
  }
  await addMember(tar, sumsName, asJson(sums), new Date(manifest.backup_at))
  tar.finalize()
  return before
}

/** Answers the number of rows. */
async function copyTable(
  session: pg.Client,
  { name, columns }: Manifest['tables'][number],
  onPiece: (number: number, piece: Buffer, rowsSoFar: number) => Promise<void>,
): Promise<number> {
  const list = columns.map(quoted).join(', ')
  // What has partitions has no rows of its own to copy.
  const rowsOf = byMonth.includes(name) ? `(SELECT ${list} FROM ${quoted(name)})` : `${quoted(name)} (${list})`
  const copy = session.query(copyTo(`COPY ${rowsOf} TO STDOUT`))
  let waiting: Buffer[] = []
  let size = 0
  let number = 0
  let rows = 0
  const flush = async () => {
    const piece = Buffer.concat(waiting)
    waiting = []
    size = 0
    number += 1
    await onPiece(number, piece, rows)
  }
  // Types say that chunks may be text; COPY gives bytes.
  for await (const chunk of copy as AsyncIterable<Buffer>) {
    waiting.push(chunk)
    size += chunk.length
    rows += countLines(chunk)
    if (size >= pieceBytes) await flush()
  }
  if (size > 0) await flush()
  return rows
}

function addMember(tar: Pack, name: string, bytes: Buffer, mtime: Date): Promise<void> {
  return new Promise((resolve, reject) => {
    const entry = tar.entry({ name, size: bytes.length, mode: 0o600, mtime }, (failure) => {
      if (failure) reject(failure)
      else resolve()
    })
    entry.end(bytes)
  })
}

function asJson(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`)
}
