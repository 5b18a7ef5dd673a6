import { InvalidArgumentError, Option } from 'commander'
import type { SandboxOptions } from '../sandbox/command.js'
import type { AddCommand } from './command.js'
import { exitCodes } from './exit-codes.js'
import { untilSignal } from './until-signal.js'

interface Flags extends Pick<SandboxOptions, 'host' | 'feishuPort' | 'vendorPort' | 'serviceUrl' | 'notifyKey'> {
  appType?: 'custom' | 'store'
  pace?: number | 'by_hand'
}

export const addSandbox: AddCommand = (program, cli) => {
  program
    .command('sandbox')
    .description('a Feishu and a vendor on this machine to develop against, until Ctrl-C; not for production')
    .option('--host <address>', 'where both listen (default: 127.0.0.1)')
    .option('--feishu-port <port>', 'port of the Feishu; 0 takes a free one (default: 4010)', readPort)
    .option('--vendor-port <port>', 'port of the vendor; 0 takes a free one (default: 4020)', readPort)
    .option('--service-url <url>', 'where the service listens (default: http://127.0.0.1:3000)', readUrl)
    .addOption(new Option('--app-type <type>', 'kind of the Feishu app (default: custom)').choices(['custom', 'store']))
    .option('--notify-key <secret>', 'API key of the service, with which the vendor says that an order changed')
    .option('--pace <ms>', 'between the steps of a check, or by_hand (default: 1500)', readPace)
    .action(async ({ pace, ...options }: Flags) => {
      // Loaded here only: a production process never has the sandbox in memory.
      const { runSandbox } = await import('../sandbox/command.js')
      const stopped = untilSignal()
      const write = (line: string) => cli.io.out(`${line}\n`)
      const sandbox = await runSandbox({ ...options, ...(pace !== undefined && { paceMs: pace }) }, { write })
      await stopped
      await sandbox.stop()
      cli.exitCode = exitCodes.ok
    })
}

function readPort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw new InvalidArgumentError('Expected a port from 0 to 65535.')
}

function readUrl(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text
  throw new InvalidArgumentError('Expected a URL that begins with http:// or https://.')
}

function readPace(text: string): number | 'by_hand' {
  if (text === 'by_hand') return text
  if (/^\d{1,7}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected milliseconds or by_hand.')
}
