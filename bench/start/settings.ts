import { exitCodes } from '../../src/cli/exit-codes.js'

/** How much is measured. */
export interface Settings {
  rounds: number
  /** Names of contenders that are left out. */
  without: readonly string[]
  restRounds: number
  restMs: number
  commands: readonly Command[]
}

/** What follows `bgc`, and what it ends with. */
export interface Command {
  words: string
  exitCode: number
}

const help: Command = { words: '--help', exitCode: exitCodes.ok }

export const full: Settings = {
  rounds: 5,
  without: [],
  restRounds: 5,
  restMs: 10_000,
  commands: [
    { words: '--version', exitCode: exitCodes.ok },
    help,
    { words: 'orders ls', exitCode: exitCodes.ok },
    // Neither Feishu nor the vendor is there, and it says so.
    { words: 'doctor', exitCode: exitCodes.failure },
  ],
}

export const quick: Settings = {
  rounds: 2,
  without: ['poller', 'sync', 'all roles, empty database', 'embedded, from nothing', 'embedded, data folder there'],
  restRounds: 1,
  restMs: 500,
  commands: [help],
}
