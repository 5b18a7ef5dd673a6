import { resolve } from 'node:path'
import { writeWhole } from '../../platform/backup/file.js'
import { type Written, writeBackup } from '../../platform/backup/write.js'
import { readVersion } from '../../platform/version.js'
import type { Io } from '../io.js'
import { showLine } from '../progress-line.js'
import { type Place, withUrl } from '../with-url.js'

export interface BackupOptions {
  /** `-` is standard output; left out: a name with the time, in the current folder. */
  file: string | undefined
  json: boolean
}

interface Report extends Written {
  file: string
  bytes: number | null
}

export async function runBackup({ file = nameOf(new Date()), json }: BackupOptions, io: Io): Promise<void> {
  const toOut = file === '-'
  const report = await withUrl({ make: false }, (place) =>
    toOut ? toStandardOutput(place, io) : toFile(place, file, io),
  )
  // What a person or a script reads must not get into the file.
  const say = toOut ? io.err : io.out
  say(json ? `${JSON.stringify(asJson(report))}\n` : `${inWords(report)}\n`)
}

async function toFile(place: Place, file: string, io: Io): Promise<Report> {
  const path = resolve(file)
  const { result, bytes } = await writeWhole(path, (out) => write(place, out, io))
  return { ...result, file: path, bytes }
}

async function toStandardOutput(place: Place, io: Io): Promise<Report> {
  return { ...(await write(place, process.stdout, io)), file: '-', bytes: null }
}

function write({ url, signal }: Place, out: NodeJS.WritableStream, io: Io): Promise<Written> {
  const line = showLine(io)
  const onProgress = (rows: number, table: string) => line.show(`${rows} rows (${table})`)
  return writeBackup({ url, release: readVersion(), signal, onProgress }, out).finally(line.clear)
}

/** Sorts by time, and is a name everywhere. */
function nameOf(now: Date): string {
  return `bgc-backup-${now.toISOString().replace(/[-:]|\.\d+/g, '')}.tar.gz`
}

function asJson({ file, bytes, tables, rows, backupAt }: Report): object {
  return { file, bytes, tables, rows, backup_at: backupAt }
}

function inWords({ file, bytes, tables, rows, backupAt }: Report): string {
  const size = bytes === null ? '' : `, ${(bytes / 1e6).toFixed(1)} MB`
  return `${file}: ${rows} rows of ${tables} tables${size}, as of ${backupAt}. The keys (BGC_ENCRYPTION_KEYS) are not in it`
}
