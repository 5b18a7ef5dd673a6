import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import type { Io } from '../io.js'

export interface RestoreFlags {
  yes: boolean
  json: boolean
}

/** A person at a terminal is asked; a script has to agree beforehand. */
export async function agrees(what: string, { yes }: RestoreFlags, io: Io): Promise<boolean> {
  if (yes) return true
  io.err(`${what}\n`)
  if (!process.stdin.isTTY) {
    io.err('nothing was done: agree with --yes\n')
    return false
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    // Ctrl-C and the end of input close it without an answer.
    const closed = once(lines, 'close').then(() => '')
    if ((await Promise.race([lines.question('Type yes to go on: '), closed])).trim() === 'yes') return true
  } finally {
    lines.close()
  }
  io.err('nothing was done\n')
  return false
}

/** What follows, in words. */
export function whatIsHeld(tenants: number): string {
  if (tenants === 0) return 'nothing is held: no tenant was known'
  return (
    `nothing is sent to Feishu for ${tenants} ${tenants === 1 ? 'tenant' : 'tenants'} until the orders there were compared, ` +
    'or the holds are released (GET /v1/holds); docs/backup.md tells what else to do'
  )
}
