import { InvalidArgumentError } from 'commander'
import type { AddCommand } from './command.js'

interface Flags {
  json?: boolean
  batch?: number
}

export const addKeys: AddCommand = (program, cli) => {
  const keys = program.command('keys').description('the encryption keys, and what lies under which (docs/keys.md)')
  keys
    .command('status')
    .description('how many values lie under which key, and what running processes have')
    .option(
      '--json',
      'print {"first","counts":[{"place","key_id","values","opens"}],"running":[{"address","first_key"}]}',
    )
    .action(async ({ json = false }: Flags) => {
      const { withDatabase } = await import('./with-database.js')
      const { showStatus } = await import('./keys/status.js')
      cli.exitCode = await withDatabase((parts) => showStatus(parts, json, cli.io), { looksOnly: true })
    })
  keys
    .command('rotate')
    .description('bring everything under the first of BGC_ENCRYPTION_KEYS, while the service runs; may be run again')
    .option('--batch <n>', 'values in one statement', readBatch, 500)
    .option('--json', 'print {"outcome","rotated","remaining","free",…}')
    .action(async ({ json = false, batch = 500 }: Flags) => {
      const { withDatabase } = await import('./with-database.js')
      const { runRotation } = await import('./keys/rotate.js')
      cli.exitCode = await withDatabase((parts) => runRotation(parts, { json, batch }, cli.io), { looksOnly: true })
    })
}

function readBatch(text: string): number {
  const batch = Number(text)
  if (/^\d+$/.test(text) && batch >= 1 && batch <= 5000) return batch
  throw new InvalidArgumentError('expected a number from 1 to 5000')
}
