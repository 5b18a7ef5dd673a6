import { InvalidArgumentError } from 'commander'
import type { AddCommand } from './command.js'
import type { VendorCheckFlags } from './vendor/run.js'

export const addVendor: AddCommand = (program, cli) => {
  const vendor = program
    .command('vendor')
    .description('the system of the vendor, behind VENDOR_BASE_URL or VENDOR_ADAPTER')
  vendor
    .command('check')
    .description('try it against docs/vendor-api.md: places and cancels test orders, so at a test system only')
    .option('--yes', 'do not ask; without it, a terminal is asked')
    .option('--account-id <id>', 'an account that the test system knows, for the orders (default: an invented one)')
    .option('--tenant-key <key>', 'the tenant of that account')
    .option('--package-id <id>', 'a package that may be ordered (default: bgc-check)')
    .option('--item-id <id>', 'an additional item to order; may be repeated', collect)
    .option('--account-field <key=value>', 'what a customer types in when it binds; may be repeated', collectPair)
    .option('--order-field <key=value>', 'a field of the order form; may be repeated', collectPair)
    .option('--order-id <id>', 'an order with stages and reports to look at; may be repeated', collect)
    .option('--wait <seconds>', 'watch an order for progress for so long', readSeconds)
    .option('--only <check>', 'this check alone; may be repeated', collect)
    .option('--list', 'name the checks and do nothing')
    .option('--json', 'print [{"check","about","see","ms","outcome",…}]')
    .addHelpText(
      'after',
      '\nEnds with 0 when no check failed, 1 when one did, nobody agreed or it was interrupted, 78 when VENDOR_* cannot be used.',
    )
    .action(async (flags: VendorCheckFlags) => {
      const { runVendorCheck } = await import('./vendor/run.js')
      cli.exitCode = await runVendorCheck(flags, cli.io)
    })
}

function collect(text: string, before: readonly string[] = []): string[] {
  if (text === '') throw new InvalidArgumentError('Expected some text.')
  return [...before, text]
}

function collectPair(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('Expected key=value.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

function readSeconds(text: string): number {
  const seconds = Number(text)
  if (/^\d+$/.test(text) && seconds <= 86_400) return seconds
  throw new InvalidArgumentError('Expected seconds, up to 86400.')
}
