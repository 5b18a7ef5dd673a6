import { type Command, InvalidArgumentError, Option } from 'commander'
import type { AddCommand } from './command.js'

interface Flags {
  force?: boolean
  json?: boolean
  from?: string
  list?: boolean
  since?: Date
}

export const addErase: AddCommand = (program, cli) => {
  program
    .command('erase')
    .description('erase everything personal that is held about background checks, for ever')
    .argument('[background_check_id...]', 'the checks, as Feishu names them')
    .option('--force', 'end open orders here; neither Feishu nor the vendor is told')
    .option(
      '--from <file>',
      'ids, one in each line; - reads standard input. Repeats erasures after a backup was restored',
    )
    .addOption(
      new Option('--list', 'print the ids that were erased, one in each line, to be kept outside of backups').conflicts(
        ['force', 'from'],
      ),
    )
    .addOption(new Option('--since <time>', 'of those, the ones since then, as RFC 3339').argParser(readTime))
    .option(
      '--json',
      'print {"erased":[…],"before":[…],"open":[…],"unknown":[…]}; of a list, [{"background_check_id","erased_at"}]',
    )
    .action(async (ids: string[], flags: Flags, command: Command) => {
      refuseMisuse(ids, flags, command)
      const { withDatabase } = await import('./with-database.js')
      const { runErase, runList } = await import('./erase/run.js')
      const { readIds } = await import('./erase/ids.js')
      const { force = false, json = false, since } = flags
      if (flags.list) {
        cli.exitCode = await withDatabase((parts) => runList(parts, { since: since ?? null, json }, cli.io), {
          onlyReads: true,
        })
        return
      }
      const wanted = await readIds(ids, flags.from)
      const options = { force, json, isRepeat: flags.from !== undefined }
      cli.exitCode = await withDatabase((parts) => runErase(parts, wanted, options, cli.io))
    })
}

function refuseMisuse(ids: readonly string[], { list, from, since }: Flags, command: Command): void {
  if (list && ids.length > 0) command.error('error: --list takes no ids')
  if (!list && since !== undefined) command.error('error: --since goes with --list')
  if (!list && from === undefined && ids.length === 0) command.error('error: expected ids, --from or --list')
}

function readTime(text: string): Date {
  const ms = /^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN
  if (Number.isNaN(ms)) throw new InvalidArgumentError('expected a date, or a time as RFC 3339.')
  return new Date(ms)
}
