#!/usr/bin/env node
import { runCli } from './cli/program.js'

// Who reads may stop (`bgc … | head`): the command goes on to its end, and ends what it started.
process.stdout.on('error', (failure: NodeJS.ErrnoException) => {
  if (failure.code !== 'EPIPE') throw failure
})

process.exit(await runCli(process.argv.slice(2)))
