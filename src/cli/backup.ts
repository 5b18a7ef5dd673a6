import type { AddCommand } from './command.js'
import { exitCodes } from './exit-codes.js'

export const addBackup: AddCommand = (program, cli) => {
  program
    .command('backup')
    .description('write all that the database holds to a file, while the service runs or not')
    .argument('[file]', 'where to; - writes to standard output (default: bgc-backup-<time>.tar.gz)')
    .option('--json', 'print {"file","bytes","tables","rows","backup_at"}')
    .action(async (file: string | undefined, { json = false }: { json?: boolean }) => {
      const { runBackup } = await import('./backup/run.js')
      await runBackup({ file, json }, cli.io)
      cli.exitCode = exitCodes.ok
    })
}
