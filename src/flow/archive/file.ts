import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { z } from 'zod'
import { isMonth } from '../../platform/database/months.js'

/**
 * A month of the archive outside of the database: JSON objects, one in each line, compressed with gzip. The first says what
 * it is; each order has a line; the last, the manifest, holds the number of orders and the SHA-256 of all that stands before
 * it, uncompressed. A file without it is not whole.
 */
export const format = 1

const Head = z.object({ bgc_archive: z.literal(format), month: z.string().refine(isMonth), release: z.string() })
const Manifest = z.object({
  manifest: z.object({ format: z.literal(format), month: z.string(), orders: z.int(), sha256: z.string() }),
})
/** What of a line is looked at before PostgreSQL takes it. */
const OrderLine = z
  .object({
    background_check_id: z.string().regex(/^[0-9]{1,32}$/),
    archived_at: z.iso.datetime(),
    ended_at: z.iso.datetime(),
    document: z.looseObject({ background_check_id: z.string(), app_id: z.string(), tenant_key: z.string() }),
  })
  .refine((line) => line.document.background_check_id === line.background_check_id)

/** None of ours, or one that is damaged or cut off. */
export class UnfitFile extends Error {}

export type Head = z.infer<typeof Head>
export type Manifest = z.infer<typeof Manifest>['manifest']

export type Part =
  | { kind: 'head'; head: Head }
  /** JSON of an order, as it stands there. */
  | { kind: 'order'; line: string }
  /** All that came before agrees with it. */
  | { kind: 'manifest'; manifest: Manifest }

/**
 * Reads a file from its begin to its end. Throws an Error in words for operators when it cannot be read, is none of ours, was
 * written in a later format, is damaged or lacks its end: whoever acts on orders before the last part came must be able to
 * take it back.
 */
export async function* readArchiveFile(file: string): AsyncGenerator<Part> {
  const hash = createHash('sha256')
  let head: Head | undefined
  let manifest: Manifest | undefined
  let orders = 0
  for await (const line of linesOf(file)) {
    if (manifest !== undefined) throw damaged(file)
    const json = parse(line)
    if (head === undefined) {
      head = readHead(file, json)
      yield { kind: 'head', head }
    } else if (Manifest.safeParse(json).success) {
      manifest = Manifest.parse(json).manifest
      continue
    } else {
      if (!OrderLine.safeParse(json).success) throw damaged(file)
      orders += 1
      yield { kind: 'order', line }
    }
    hash.update(`${line}\n`)
  }
  if (head === undefined) throw notAnArchive(file)
  if (manifest === undefined) throw cutOff(file)
  const agrees = manifest.month === head.month && manifest.orders === orders && manifest.sha256 === hash.digest('hex')
  if (!agrees) throw damaged(file)
  yield { kind: 'manifest', manifest }
}

/** Reads it and keeps nothing of it. */
export async function checkArchiveFile(file: string): Promise<Manifest> {
  for await (const part of readArchiveFile(file)) if (part.kind === 'manifest') return part.manifest
  throw cutOff(file)
}

function readHead(file: string, json: unknown): Head {
  const head = Head.safeParse(json)
  if (head.success) return head.data
  const later = z.object({ bgc_archive: z.int().gt(format), release: z.string() }).safeParse(json)
  if (!later.success) throw notAnArchive(file)
  throw new Error(`${file} was written by bgc-bridge ${later.data.release} in a later format: use that release`)
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (failure) {
    // Whatever it is, it is no line of ours, and what reads it says so.
    if (failure instanceof SyntaxError) return undefined
    throw failure
  }
}

/** An order with a long life; nobody's is longer. */
const longestLine = 16 << 20

async function* linesOf(file: string): AsyncGenerator<string> {
  const plain = new PassThrough()
  const reading = pipeline(createReadStream(file), createGunzip(), plain)
  // It is told below, where the reader hears of it.
  reading.catch(() => undefined)
  let waiting: Buffer = Buffer.alloc(0)
  let any = false
  try {
    for await (const chunk of plain as AsyncIterable<Buffer>) {
      waiting = Buffer.concat([waiting, chunk])
      for (let end = waiting.indexOf(10); end >= 0; end = waiting.indexOf(10)) {
        yield waiting.toString('utf8', 0, end)
        any = true
        waiting = waiting.subarray(end + 1)
      }
      if (waiting.length > longestLine) throw damaged(file)
    }
    await reading
  } catch (failure) {
    throw inWords(file, failure, !any)
  } finally {
    plain.destroy()
  }
  if (waiting.length > 0) throw any ? cutOff(file) : notAnArchive(file)
}

/** What the system and zlib say about a file, in words; errors of ours pass. */
function inWords(file: string, failure: unknown, atBegin: boolean): unknown {
  if (!(failure instanceof Error && 'code' in failure)) return failure
  const code = String(failure.code)
  if (code === 'ENOENT') return new Error(`${file}: there is no such file`)
  if ('syscall' in failure) return new Error(`${file} cannot be read (${code})`, { cause: failure })
  if (code === 'Z_BUF_ERROR') return cutOff(file, failure)
  if (code.startsWith('Z_')) return atBegin ? notAnArchive(file, failure) : damaged(file, failure)
  return failure
}

const notAnArchive = (file: string, cause?: unknown): Error =>
  new UnfitFile(`${file} is not a file that \`bgc archive export\` wrote`, { cause })
const damaged = (file: string, cause?: unknown): Error =>
  new UnfitFile(`${file} is damaged: what it holds does not agree with its manifest`, { cause })
const cutOff = (file: string, cause?: unknown): Error =>
  new UnfitFile(`${file} is not whole: its end is missing`, { cause })
