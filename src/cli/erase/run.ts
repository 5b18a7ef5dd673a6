import { eraseOrder, listErased } from '../../flow/personal-data/erase.js'
import { exitCodes } from '../exit-codes.js'
import type { Io } from '../io.js'
import { userOfCommand } from '../user.js'
import type { CommandParts } from '../with-database.js'

export interface EraseOptions {
  force: boolean
  json: boolean
  /** The ids come from a list of what was erased: one that is not here needs no erasure. */
  isRepeat: boolean
}

/** What became of each id; `before`: it was erased before. */
interface Report {
  erased: string[]
  before: string[]
  open: string[]
  unknown: string[]
}

/** Each check in a transaction of its own, so that what cannot be erased does not hold up the others. */
export async function runErase(
  { database }: CommandParts,
  ids: readonly string[],
  { force, json, isRepeat }: EraseOptions,
  io: Io,
): Promise<number> {
  const who = { actor: userOfCommand(), via: 'cli' } as const
  const report: Report = { erased: [], before: [], open: [], unknown: [] }
  for (const id of ids) {
    const erased = await database.transaction((sql) => eraseOrder(sql, id, { force, who }))
    if (erased.kind === 'erased') report[erased.again ? 'before' : 'erased'].push(id)
    else report[erased.kind].push(id)
  }
  if (json) io.out(`${JSON.stringify(report)}\n`)
  else describe(report, io)
  const failed = report.open.length + (isRepeat ? 0 : report.unknown.length)
  return failed === 0 ? exitCodes.ok : exitCodes.failure
}

function describe({ erased, before, open, unknown }: Report, io: Io): void {
  for (const id of open) io.err(`${id}: has not ended; cancel it in Feishu first, or end it here with --force\n`)
  for (const id of unknown) io.err(`${id}: is not in this database\n`)
  io.out(`${erased.length} erased, ${before.length} before, ${open.length} open, ${unknown.length} unknown\n`)
}

export async function runList(
  { database }: CommandParts,
  { since, json }: { since: Date | null; json: boolean },
  io: Io,
): Promise<number> {
  const erased = await listErased(database.pool, since)
  const shown = erased.map((each) => ({
    background_check_id: each.backgroundCheckId,
    erased_at: each.erasedAt.toISOString(),
  }))
  if (json) io.out(`${JSON.stringify(shown)}\n`)
  else for (const { background_check_id: id } of shown) io.out(`${id}\n`)
  return exitCodes.ok
}
