import { type Command, InvalidArgumentError } from 'commander'
import { isMonth } from '../platform/database/months.js'
import type { AddCommand } from './command.js'
import { exitCodes } from './exit-codes.js'

interface RunFlags {
  before?: number
  batch: number
  limit?: number
  dryRun?: boolean
  json?: boolean
}

interface ExportFlags {
  month: string
  to: string
  drop?: boolean
  json?: boolean
}

export const addArchive: AddCommand = (program, cli) => {
  const archive = program
    .command('archive')
    .description('move orders that ended long ago, and were erased, out of the way; docs/archive.md')
    .option(
      '--before <days>',
      'orders that did not change for so many days (default: 400, or BGC_RETENTION_DAYS)',
      readDays,
    )
    .option('--batch <n>', 'orders in one transaction', readBatch, 200)
    .option('--limit <n>', 'orders of this run', readCount)
    .option('--dry-run', 'count them, and move nothing')
    .option('--json', 'print {"moved","waiting","busy","events"}')
    .action(async (flags: RunFlags) => {
      const { withDatabase } = await import('./with-database.js')
      const { runArchive } = await import('./archive/run.js')
      cli.exitCode = await withDatabase((parts) => runArchive(parts, flags, cli.io), { onlyReads: true })
    })
  archive
    .command('partitions')
    .description('the months of the archive: how many orders, how large, when they ended')
    .option('--json', 'print [{"month","orders","bytes","first_ended_at","last_ended_at"}]')
    .action(async (_flags: object, command: Command) => {
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>()
      const { withDatabase } = await import('./with-database.js')
      const { showMonths } = await import('./archive/months.js')
      await withDatabase((parts) => showMonths(parts, json, cli.io), { onlyReads: true })
      cli.exitCode = exitCodes.ok
    })
  archive
    .command('export')
    .description('write a month to a file (JSON lines, gzip), and read it back')
    .requiredOption('--month <month>', 'the month, like 2025-03', readMonth)
    .requiredOption('--to <file>', 'replaced once the new one is whole', readFile)
    .option('--drop', 'take the month out of the database once the file is known to be right')
    .option('--json', 'print {"file","month","orders","sha256","bytes","dropped"}')
    .action(async (_flags: object, command: Command) => {
      const { withDatabase } = await import('./with-database.js')
      const { runExport } = await import('./archive/months.js')
      const flags = command.optsWithGlobals<ExportFlags>()
      await withDatabase((parts) => runExport(parts, flags, cli.io), { onlyReads: true })
      cli.exitCode = exitCodes.ok
    })
  archive
    .command('import')
    .description('bring an exported month back into the archive')
    .argument('<file>', 'a file of `bgc archive export`')
    .option('--json', 'print {"month","imported","existing"}')
    .action(async (file: string, _flags: object, command: Command) => {
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>()
      const { withDatabase } = await import('./with-database.js')
      const { runImport } = await import('./archive/months.js')
      await withDatabase((parts) => runImport(parts, file, json, cli.io), { onlyReads: true })
      cli.exitCode = exitCodes.ok
    })
}

const whole = (most: number) => (text: string) => {
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= 1 && number <= most) return number
  throw new InvalidArgumentError(`expected a whole number from 1 to ${most}`)
}

const readDays = whole(36_500)
const readBatch = whole(2000)
const readCount = whole(1_000_000_000)

/** Who drops a month has nothing but the file, which has to be read back. */
function readFile(text: string): string {
  if (text !== '-') return text
  throw new InvalidArgumentError('expected a file: it is read back, which standard output cannot be')
}

function readMonth(text: string): string {
  if (isMonth(text)) return text
  throw new InvalidArgumentError('expected a month like 2025-03')
}
