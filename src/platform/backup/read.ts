import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract as createExtract, type Header } from 'tar-stream'
import {
  cutOff,
  damaged,
  type Manifest,
  manifestName,
  notABackup,
  readManifest,
  readSums,
  type Sums,
  sumsName,
  tableOf,
} from './manifest.js'

export type Part =
  | { kind: 'manifest'; manifest: Manifest }
  /** Rows of a table, cut anywhere; those of one table follow one another. */
  | { kind: 'rows'; table: string; bytes: Buffer }
  /** All that came before agrees with its checksums. */
  | { kind: 'end'; sums: Sums }

/** A member of the file: its bytes and what the tar says of it. */
type Entry = AsyncIterable<unknown> & { header: Header }

/** More than the manifest or the checksums of any database. */
const mostOfJson = 64 << 20

/**
 * Reads a backup from its begin to its end, a piece of a table at a time. Throws an Error in words for operators when the
 * file cannot be read, is none of ours, was written in a later format, is damaged or lacks its end: whoever acts on rows
 * before the last part came must be able to take it back.
 */
export async function* readBackup(file: string): AsyncGenerator<Part> {
  const extract = createExtract()
  let failure: unknown
  const reading = pipeline(createReadStream(file), createGunzip(), extract).catch((cause: unknown) => {
    failure = cause
  })
  const members = new Map<string, { bytes: number; sha256: string }>()
  let sums: Sums | undefined
  try {
    for await (const entry of extract) {
      if (sums !== undefined) throw damaged(file)
      if ((members.size === 0) !== (entry.header.name === manifestName)) throw notABackup(file)
      if (entry.header.name === sumsName) sums = readSums(file, await whole(file, entry))
      else yield* readMember(file, entry, members)
    }
    await reading
    if (failure !== undefined) throw damaged(file, failure)
  } catch (cause) {
    extract.destroy()
    await reading
    // Whoever reads a stream that broke hears of its end, not of the reason.
    throw inWords(file, isOfFile(failure) ? failure : cause, members.size === 0)
  } finally {
    extract.destroy()
    await reading
  }
  if (sums === undefined) throw cutOff(file)
  if (!agree(sums, members)) throw damaged(file)
  yield { kind: 'end', sums }
}

async function* readMember(
  file: string,
  entry: Entry,
  members: Map<string, { bytes: number; sha256: string }>,
): AsyncGenerator<Part> {
  const { name } = entry.header
  const hash = createHash('sha256')
  if (name === manifestName) {
    const bytes = await whole(file, entry)
    members.set(name, { bytes: bytes.length, sha256: hash.update(bytes).digest('hex') })
    yield { kind: 'manifest', manifest: readManifest(file, bytes) }
    return
  }
  const table = tableOf(name)
  if (table === null || members.has(name)) throw damaged(file)
  members.set(name, yield* readRows(entry, table, hash))
}

async function* readRows(
  entry: Entry,
  table: string,
  hash: Hash,
): AsyncGenerator<Part, { bytes: number; sha256: string }> {
  let size = 0
  for await (const bytes of bytesOf(entry)) {
    hash.update(bytes)
    size += bytes.length
    yield { kind: 'rows', table, bytes }
  }
  return { bytes: size, sha256: hash.digest('hex') }
}

/** The types of tar-stream leave open what comes; it is bytes. */
function bytesOf(entry: Entry): AsyncIterable<Buffer> {
  return entry as AsyncIterable<Buffer>
}

async function whole(file: string, entry: Entry): Promise<Buffer> {
  if (entry.header.size > mostOfJson) throw damaged(file)
  const chunks: Buffer[] = []
  for await (const chunk of bytesOf(entry)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function agree({ members: said }: Sums, members: ReadonlyMap<string, { bytes: number; sha256: string }>): boolean {
  if (said.length !== members.size) return false
  return said.every(({ name, bytes, sha256 }) => {
    const found = members.get(name)
    return found?.bytes === bytes && found.sha256 === sha256
  })
}

/** Of the system or of zlib. */
function isOfFile(failure: unknown): boolean {
  return (
    failure instanceof Error && ('syscall' in failure || ('code' in failure && String(failure.code).startsWith('Z_')))
  )
}

/** What the system, zlib and tar say about a file, in words; errors of ours pass. */
function inWords(file: string, failure: unknown, atBegin: boolean): unknown {
  if (!(failure instanceof Error)) return failure
  const code = 'code' in failure ? String(failure.code) : ''
  if (code === 'ENOENT') return new Error(`${file}: there is no such file`)
  if ('syscall' in failure) return new Error(`${file} cannot be read (${code})`, { cause: failure })
  if (code === 'Z_BUF_ERROR' || failure.message.startsWith('Unexpected end of data')) return cutOff(file, failure)
  if (code.startsWith('Z_')) return atBegin ? notABackup(file, failure) : damaged(file, failure)
  if (failure.message.startsWith('Invalid tar header'))
    return atBegin ? notABackup(file, failure) : damaged(file, failure)
  return failure
}
