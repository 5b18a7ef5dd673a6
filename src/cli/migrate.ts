import type { AddCommand } from './command.js'
import { exitCodes } from './exit-codes.js'

export const addMigrate: AddCommand = (program, cli) => {
  program
    .command('migrate')
    .description(
      'bring the database of DATABASE_URL, or the embedded one in BGC_DATA_DIR, to the schema of this release',
    )
    .option('--json', 'print {"applied":[…]}')
    .action(async ({ json }: { json?: true }) => {
      const { migrateDatabase } = await import('./migrate-database.js')
      const { applied, database } = await migrateDatabase()
      cli.io.out(json ? `${JSON.stringify({ applied })}\n` : describe(applied, database))
      cli.exitCode = exitCodes.ok
    })
}

function describe(applied: readonly string[], database: string): string {
  if (applied.length === 0) return `${database} is up to date: nothing to apply\n`
  return `${[`${database}:`, ...applied.map((name) => `  applied ${name}`)].join('\n')}\n`
}
