import type { Command } from 'commander'
import type { Io } from './io.js'

export interface Cli {
  io: Io
  /** What the process ends with. A command sets it, or throws: then `runCli` explains the error and chooses. */
  exitCode: number
}

/**
 * One file for each command: it says how the command is called, and imports what it runs only then, so that no command
 * loads what another needs. `program.ts` lists them.
 */
export type AddCommand = (program: Command, cli: Cli) => void
