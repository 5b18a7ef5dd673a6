import { type Command, InvalidArgumentError } from 'commander'
import type { AddCommand } from './command.js'
import { exitCodes } from './exit-codes.js'

interface Flags {
  yes?: boolean
  mark?: boolean
  asOf?: Date
  json?: boolean
}

export const addRestore: AddCommand = (program, cli) => {
  program
    .command('restore')
    .description('bring what a file of `bgc backup` holds into an empty database; docs/backup.md tells what follows')
    .argument('[file]', 'the file; left out with --mark')
    .option('--yes', 'do not ask; without it, a terminal is asked')
    .option('--mark', 'bring nothing: the database of the service was restored by other means, and is to be treated so')
    .option('--as-of <time>', 'with --mark: what happened later is not in it (default: the newest that is)', readTime)
    .option('--json', 'print {"backup_at","rows","applied":[…],"tenants_held"}')
    .action(
      async (file: string | undefined, { yes = false, mark = false, asOf, json = false }: Flags, command: Command) => {
        if ((file === undefined) !== mark) command.error('error: expected a file, or --mark without one')
        if (asOf !== undefined && !mark) command.error('error: --as-of goes with --mark')
        const { runRestore } = await import('./restore/run.js')
        const { runMark } = await import('./restore/mark.js')
        const options = { yes, json }
        cli.exitCode = (
          file === undefined
            ? await runMark(asOf, options, cli.io)
            : await runRestore(file, options, cli.io)
        )
          ? exitCodes.ok
          : exitCodes.failure
      },
    )
}

function readTime(text: string): Date {
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text)) {
    const time = new Date(text)
    if (!Number.isNaN(time.getTime())) return time
  }
  throw new InvalidArgumentError('Expected a time like 2026-01-02T03:04:05Z.')
}
