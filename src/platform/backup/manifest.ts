import { z } from 'zod'
import { isMonth } from '../database/months.js'

/**
 * The layout of a backup: a tar file, compressed with gzip. `manifest.json` comes first; then the rows of each table as
 * PostgreSQL's COPY writes them (text format), in pieces `tables/<table>/<number>` that are put together again in their
 * order; `sums.json` comes last, so that a file without it is not whole.
 */
export const format = 1

export const manifestName = 'manifest.json'
export const sumsName = 'sums.json'
export const pieceName = (table: string, number: number): string => `tables/${table}/${String(number).padStart(6, '0')}`

/** The table that a piece belongs to; `null` for any other name. */
export function tableOf(name: string): string | null {
  return /^tables\/([a-z0-9_]{1,63})\/\d{6,}$/.exec(name)?.[1] ?? null
}

const identifier = z.string().regex(/^[a-z0-9_]{1,63}$/)

const Manifest = z.object({
  /** Of this layout. */
  format: z.literal(format),
  /** Release of bgc-bridge that wrote it. */
  release: z.string(),
  /** Version of PostgreSQL. */
  postgres: z.string(),
  /** RFC 3339; everything that was committed before is in it. */
  backup_at: z.iso.datetime(),
  /** Names of the migrations that the database had. */
  migrations: z.array(z.string()),
  tables: z.array(z.object({ name: identifier, columns: z.array(identifier) })),
  /** Of tables that are partitioned by month: none in what earlier releases wrote. */
  months: z.array(z.object({ table: identifier, months: z.array(z.string().refine(isMonth)) })).default([]),
  sequences: z.array(z.object({ name: identifier, last_value: z.string(), is_called: z.boolean() })),
})
export type Manifest = z.infer<typeof Manifest>

const Sums = z.object({
  members: z.array(z.object({ name: z.string(), bytes: z.number(), sha256: z.string() })),
  tables: z.array(z.object({ name: identifier, rows: z.number() })),
})
export type Sums = z.infer<typeof Sums>

/** Throws an Error in words for operators. */
export function readManifest(file: string, bytes: Buffer): Manifest {
  const json = readJson(file, bytes)
  const found = z.object({ format: z.int(), release: z.string() }).safeParse(json)
  if (found.success && found.data.format > format) {
    throw new Error(
      `${file} was written by bgc-bridge ${found.data.release} in a format (${found.data.format}) that this release does not ` +
        `know: use that release, or a later one`,
    )
  }
  const manifest = Manifest.safeParse(json)
  if (!manifest.success) throw notABackup(file)
  return manifest.data
}

export function readSums(file: string, bytes: Buffer): Sums {
  const sums = Sums.safeParse(readJson(file, bytes))
  if (!sums.success) throw damaged(file)
  return sums.data
}

function readJson(file: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new Error(`${file} is damaged`, { cause })
  }
}

export const notABackup = (file: string, cause?: unknown): Error =>
  new Error(`${file} is not a backup that \`bgc backup\` wrote`, { cause })
export const damaged = (file: string, cause?: unknown): Error =>
  new Error(`${file} is damaged: what it holds does not agree with its checksums`, { cause })
export const cutOff = (file: string, cause?: unknown): Error =>
  new Error(`${file} is not whole: its end is missing`, { cause })
