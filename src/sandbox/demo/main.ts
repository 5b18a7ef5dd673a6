import { explain } from '../../cli/explain.js'
import { untilSignal } from '../../cli/until-signal.js'
import { exit, runDemo } from './demo.js'

const leaving = new AbortController()
void untilSignal(['SIGINT', 'SIGTERM', 'SIGHUP']).then(() => leaving.abort())
// The reader of a pipe has gone.
process.stdout.on('error', () => leaving.abort())

async function run(): Promise<number> {
  try {
    const { stdout, stderr, env } = process
    return await runDemo(process.argv.slice(2), { stdout, stderr, env, stopped: leaving.signal })
  } catch (failure) {
    process.stderr.write(`The demo failed: ${explain(failure)}\n`)
    return exit.failed
  }
}

process.exit(await run())
