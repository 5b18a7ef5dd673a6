import { type Archived, archiveOrders } from '../../flow/archive/run.js'
import { exitCodes } from '../exit-codes.js'
import type { Io } from '../io.js'
import { showBar } from '../keys/bar.js'
import { userOfCommand } from '../user.js'
import type { CommandParts } from '../with-database.js'

export interface ArchiveFlags {
  before?: number
  batch: number
  limit?: number
  dryRun?: boolean
  json?: boolean
}

const usualDays = 400

/** Fails for fewer days than personal data is kept for: a backup that still holds it could not be told from a newer one. */
export async function runArchive({ database, config }: CommandParts, flags: ArchiveFlags, io: Io): Promise<number> {
  const { retentionDays } = config
  const { before = Math.max(usualDays, retentionDays), batch, limit, dryRun = false, json = false } = flags
  if (before < retentionDays) {
    io.err(`--before: expected ${retentionDays} days or more, as long as BGC_RETENTION_DAYS keeps personal data\n`)
    return exitCodes.usage
  }
  const bar = showBar(io, 'orders')
  const archived = await archiveOrders({
    database,
    actor: userOfCommand(),
    days: before,
    batch,
    limit: limit ?? Number.POSITIVE_INFINITY,
    dryRun,
    onProgress: bar.show,
  }).finally(bar.clear)
  io.out(json ? `${JSON.stringify(archived)}\n` : inWords(archived, dryRun))
  return exitCodes.ok
}

function inWords({ moved, waiting, busy, events }: Archived, dryRun: boolean): string {
  const stay = `${waiting} wait for something`
  if (dryRun) return `${moved} to archive, ${stay}; nothing was moved\n`
  return `${moved} archived, ${stay}, ${busy} in use; ${events} old events dropped\n`
}
