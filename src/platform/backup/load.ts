import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { Sql } from '../database/database.js'
import { ensureMonth } from '../database/months.js'
import { refuseFilled, refuseServed, tablesOfOurs } from './empty.js'
import { damaged, type Manifest, type Sums } from './manifest.js'
import { type Part, readBackup } from './read.js'
import { countLines, quoted } from './session.js'

export interface LoadOptions {
  /** Rows so far. */
  onProgress: (rows: number, table: string) => void
  signal?: AbortSignal
}

/**
 * Loads a whole backup within the caller's transaction. The tables are locked first, and looked at again under the lock.
 * Answers the number of rows.
 */
export async function load(session: pg.Client, file: string, options: LoadOptions): Promise<number> {
  const here = (await tablesOfOurs(session)).map(quoted).join(', ')
  await session.query(`LOCK TABLE ${here} IN ACCESS EXCLUSIVE MODE`)
  await refuseServed(session)
  await refuseFilled(session)
  await session.query(`TRUNCATE ${here}`)
  const parts = new Parts(readBackup(file), options.signal)
  const manifest = await parts.manifest(file)
  await makeMonths(session, manifest)
  const loaded = new Map<string, number>()
  let all = 0
  for (let table = parts.nextTable(); table !== null; table = parts.nextTable()) {
    const before = all
    const found = manifest.tables.find((each) => each.name === table)
    if (found === undefined || loaded.has(table)) throw damaged(file)
    const rows = await copyIn(session, found, parts.rowsOf(table), (lines) =>
      options.onProgress(before + lines, found.name),
    )
    loaded.set(table, rows)
    all += rows
  }
  const sums = parts.sums(file)
  if (sums.tables.some(({ name, rows }) => rows !== (loaded.get(name) ?? 0))) throw damaged(file)
  await setSequences(session, manifest)
  return all
}

/** Rows go into the months that there are. */
async function makeMonths(sql: Sql, { months }: Manifest): Promise<void> {
  for (const each of months) for (const month of each.months) await ensureMonth(sql, each.table, month)
}

async function copyIn(
  session: pg.Client,
  { name, columns }: Manifest['tables'][number],
  rows: AsyncIterable<Buffer>,
  onLines: (lines: number) => void,
): Promise<number> {
  const copy = session.query(copyFrom(`COPY ${quoted(name)} (${columns.map(quoted).join(', ')}) FROM STDIN`))
  let lines = 0
  const counted = async function* () {
    for await (const bytes of rows) {
      lines += countLines(bytes)
      onLines(lines)
      yield bytes
    }
  }
  await pipeline(counted(), copy)
  return copy.rowCount
}

async function setSequences(sql: Sql, { sequences }: Manifest): Promise<void> {
  for (const { name, last_value, is_called } of sequences) {
    await sql.query('SELECT setval($1::regclass, $2::bigint, $3)', [quoted(name), last_value, is_called])
  }
}

/** The parts of a file, read one ahead. */
class Parts {
  readonly #parts: AsyncGenerator<Part>
  readonly #signal: AbortSignal | undefined
  #next: Part | undefined

  constructor(parts: AsyncGenerator<Part>, signal: AbortSignal | undefined) {
    this.#parts = parts
    this.#signal = signal
  }

  async manifest(file: string): Promise<Manifest> {
    await this.#read()
    if (this.#next?.kind !== 'manifest') throw damaged(file)
    const { manifest } = this.#next
    await this.#read()
    return manifest
  }

  /** The table of the rows that come next; `null` at the end. */
  nextTable(): string | null {
    return this.#next?.kind === 'rows' ? this.#next.table : null
  }

  async *rowsOf(table: string): AsyncGenerator<Buffer> {
    while (this.#next?.kind === 'rows' && this.#next.table === table) {
      yield this.#next.bytes
      await this.#read()
    }
  }

  sums(file: string): Sums {
    if (this.#next?.kind !== 'end') throw damaged(file)
    return this.#next.sums
  }

  async #read(): Promise<void> {
    this.#signal?.throwIfAborted()
    const read = await this.#parts.next()
    this.#next = read.done === true ? undefined : read.value
  }
}
