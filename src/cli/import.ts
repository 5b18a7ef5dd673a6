import { open } from 'node:fs/promises'
import type { AddCommand } from './command.js'
import { exitCodes } from './exit-codes.js'
import type { ImportReport } from './import/orders.js'
import type { Io } from './io.js'

interface Flags {
  dryRun?: boolean
  json?: boolean
}

export const addImport: AddCommand = (program, cli) => {
  program
    .command('import')
    .description('bring along what an older system has')
    .command('orders')
    .description('orders that the vendor has and an older system has served, so that nothing is sent to Feishu twice')
    .argument('<file>', 'one JSON object in each line, as docs/moving-in.md explains; - reads standard input')
    .option('--dry-run', 'check every line, and write nothing')
    .option('--json', 'print {"imported":n,"existing":n,"refused":[{"line","path","message"}]}')
    .action(async (file: string, { dryRun = false, json = false }: Flags) => {
      const { withDatabase } = await import('./with-database.js')
      const { importOrders } = await import('./import/orders.js')
      const bytes = await openBytes(file)
      const progress = showProgress(cli.io)
      const options = { dryRun, onProgress: progress.show }
      const report = await withDatabase((parts) => importOrders(parts, bytes, options)).finally(progress.clear)
      if (json) cli.io.out(`${JSON.stringify(report)}\n`)
      else describe(report, dryRun, cli.io)
      cli.exitCode = report.refused.length === 0 ? exitCodes.ok : exitCodes.failure
    })
}

async function openBytes(file: string): Promise<AsyncIterable<Uint8Array>> {
  if (file === '-') return process.stdin
  try {
    return (await open(file)).createReadStream()
  } catch (cause) {
    throw new Error(`${file} cannot be read`, { cause })
  }
}

function describe({ imported, existing, refused }: ImportReport, dryRun: boolean, io: Io): void {
  for (const { line, path, message } of refused) io.err(`line ${line}: ${path === '' ? '' : `${path}: `}${message}\n`)
  const lines = new Set(refused.map((each) => each.line)).size
  const counts = `${existing} here already, ${lines} refused`
  io.out(dryRun ? `${imported} to import, ${counts}; nothing was written\n` : `${imported} imported, ${counts}\n`)
}

const showEveryMs = 200

/** One line at a terminal that counts upwards; nothing where nobody looks. */
function showProgress(io: Io) {
  let shownAt = Number.NEGATIVE_INFINITY
  return {
    show: (lines: number) => {
      if (io.isTerminal !== true || performance.now() - shownAt < showEveryMs) return
      shownAt = performance.now()
      io.err(`\r${lines} lines`)
    },
    clear: () => {
      if (shownAt > 0) io.err('\r\x1b[K')
    },
  }
}
