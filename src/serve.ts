import { type App, startApp } from './app.js'
import { loadDotEnv } from './cli/dot-env.js'
import { exitCodes } from './cli/exit-codes.js'
import { explain } from './cli/explain.js'
import { untilSignal } from './cli/until-signal.js'
import { type Config, ConfigError, readConfig, wantsTraces } from './config.js'
import { createLogger, type Logger } from './platform/logger.js'
import { startTracing } from './platform/tracing/start.js'
import { readVersion } from './platform/version.js'

/** Runs the service until it is told to stop; answers the exit code. */
export async function serve(): Promise<number> {
  const config = readConfigOrComplain()
  if (config === null) return exitCodes.configuration
  const log = createLogger(config.logLevel)
  const stopped = untilSignal()
  const tracing = wantsTraces() ? await startTracing({ version: readVersion(), log }) : undefined
  const app = await startOrComplain(config, log, stopped)
  if (app === null) return exitCodes.failure
  const reason = await Promise.race([stopped, app.failed])
  // Others are led elsewhere by whoever sends SIGTERM; at a terminal, and after another took over, nobody is.
  const drainMs = reason === 'SIGTERM' ? config.drainMs : 0
  log.info({ event: 'app.stopping', reason, drain_ms: drainMs }, 'stopping')
  const clean = await stopWithin(() => app.stop(drainMs), config.stopTimeoutMs, log)
  await tracing?.stop()
  log.info({ event: 'app.stopped', clean }, 'stopped')
  return clean && reason.startsWith('SIG') ? exitCodes.ok : exitCodes.failure
}

function readConfigOrComplain(): Config | null {
  try {
    loadDotEnv()
    return readConfig()
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure
    process.stderr.write(`${failure.message}\n`)
    return null
  }
}

/** A start that hangs, on a database that never answers, does not outlive the signal for longer than a stop may take. */
async function startOrComplain(config: Config, log: Logger, stopped: Promise<unknown>): Promise<App | null> {
  const late = stopped.then(() => after(config.stopTimeoutMs))
  try {
    const app = await Promise.race([startApp(config, log), late])
    if (app === 'late') process.stderr.write('bgc-bridge was told to stop before it was up\n')
    return app === 'late' ? null : app
  } catch (failure) {
    process.stderr.write(`bgc-bridge cannot start: ${explain(failure)}\n`)
    return null
  }
}

/** What does not end in time is left to its lease: another process goes on with it. */
async function stopWithin(stop: () => Promise<void>, timeoutMs: number, log: Logger): Promise<boolean> {
  try {
    const ended = await Promise.race([stop().then(() => 'clean' as const), after(timeoutMs)])
    if (ended === 'late') log.warn({ event: 'app.stop_timeout', timeout_ms: timeoutMs }, 'not everything ended in time')
    return ended === 'clean'
  } catch (failure) {
    log.error({ event: 'app.stop_failed', err: failure }, 'not everything stopped cleanly')
    return false
  }
}

function after(timeoutMs: number): Promise<'late'> {
  return new Promise((resolve) => setTimeout(resolve, timeoutMs, 'late').unref())
}
