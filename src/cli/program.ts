import { Command, CommanderError } from 'commander'
import { ConfigError } from '../config.js'
import { readVersion } from '../platform/version.js'
import { addAccountFields } from './account-fields.js'
import { addArchive } from './archive.js'
import { addBackup } from './backup.js'
import type { AddCommand, Cli } from './command.js'
import { addCompletion } from './completion.js'
import { addDoctor } from './doctor.js'
import { addErase } from './erase.js'
import { exitCodes, exitCodesHelp } from './exit-codes.js'
import { explain } from './explain.js'
import { addImport } from './import.js'
import { type Io, processIo } from './io.js'
import { addKeys } from './keys.js'
import { addMigrate } from './migrate.js'
import { addOperator } from './operator.js'
import { addRestore } from './restore.js'
import { addSandbox } from './sandbox.js'
import { addServe } from './serve.js'
import { addVendor } from './vendor.js'

const commands: readonly AddCommand[] = [
  addServe,
  addMigrate,
  addDoctor,
  addImport,
  addAccountFields,
  addErase,
  addKeys,
  addBackup,
  addRestore,
  addArchive,
  addOperator,
  addSandbox,
  addVendor,
  addCompletion,
]

/** Runs one command line, without the program's own name; answers the exit code. */
export async function runCli(args: readonly string[], io: Io = processIo): Promise<number> {
  const cli: Cli = { io, exitCode: exitCodes.ok }
  try {
    await makeProgram(cli).parseAsync([...args], { from: 'user' })
    return cli.exitCode
  } catch (failure) {
    return settle(failure, io)
  }
}

function makeProgram(cli: Cli): Command {
  const program = new Command('bgc')
    .description('The backend of a background-check vendor for Feishu Hire.')
    .version(readVersion())
    .addHelpText('after', exitCodesHelp)
    .showHelpAfterError('(bgc --help lists what there is)')
    .configureOutput({ writeOut: cli.io.out, writeErr: cli.io.err })
    .exitOverride()
  for (const add of commands) add(program, cli)
  return program
}

/** Commander has written what it complains about, and has asked for help or the version to be shown, by itself. */
function settle(failure: unknown, io: Io): number {
  if (failure instanceof CommanderError) return failure.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  io.err(`${explain(failure)}\n`)
  return failure instanceof ConfigError ? exitCodes.configuration : exitCodes.failure
}
