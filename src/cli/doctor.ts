import { InvalidArgumentError } from 'commander'
import type { AddCommand } from './command.js'
import type { Examined } from './doctor/run.js'
import { exitCodes } from './exit-codes.js'
import type { Io } from './io.js'
import { clean } from './operator/render.js'

interface Flags {
  eventUrl?: string
  json?: boolean
}

export const addDoctor: AddCommand = (program, cli) => {
  program
    .command('doctor')
    .description('examine everything that the service depends on, and say what to do about what is wrong')
    .option(
      '--event-url <base>',
      'where Feishu reaches the service; BGC_PUBLIC_URL, or this machine, when left out',
      readBase,
    )
    .option('--json', 'print [{"check","found":[{"kind","detail"|"problem","remedy"}]}]')
    .action(async ({ eventUrl, json = false }: Flags) => {
      const { examine } = await import('./doctor/run.js')
      const tell = json ? () => undefined : (one: Examined) => show(one, cli.io)
      const all = await examine(eventUrl, tell)
      if (json) cli.io.out(`${JSON.stringify(all)}\n`)
      const isWrong = all.some(({ found }) => found.some(({ kind }) => kind === 'wrong'))
      cli.exitCode = isWrong ? exitCodes.failure : exitCodes.ok
    })
}

function readBase(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text
  throw new InvalidArgumentError('expected an address that begins with http:// or https://.')
}

const marks = { ok: 'ok     ', doubt: 'doubt  ', wrong: 'WRONG  ', skipped: '-      ' } as const

function show({ check, found }: Examined, io: Io): void {
  for (const each of found) {
    const said = 'problem' in each ? each.problem : each.detail
    io.out(`${marks[each.kind]}${check}: ${readable(said)}\n`)
    if ('remedy' in each) io.out(`       → ${each.remedy}\n`)
  }
}

/** Reasons are words of Feishu, the vendor and its adapter, too. */
function readable(text: string): string {
  return text.split('\n').map(clean).join('\n')
}
