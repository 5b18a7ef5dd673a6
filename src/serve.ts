import { startApp } from './app.js'
import { ConfigError, readConfig } from './config.js'
import { createLogger, type Logger } from './platform/logger.js'

/** Runs the service until it is told to stop; answers the exit code. */
export async function serve(): Promise<number> {
  loadDotEnv()
  const config = readConfigOrComplain()
  if (config === null) return 78
  const log = createLogger(config.logLevel)
  const stopped = untilSignal()
  const app = await startApp(config, log)
  const reason = await Promise.race([stopped, app.failed])
  log.info({ event: 'app.stopping', reason }, 'stopping')
  const clean = await stopWithin(() => app.stop(), config.stopTimeoutMs, log)
  log.info({ event: 'app.stopped', clean }, 'stopped')
  return clean && reason.startsWith('SIG') ? 0 : 1
}

/** For people who try it on their own machine; what is set in the environment wins. */
function loadDotEnv(): void {
  try {
    process.loadEnvFile()
  } catch (failure) {
    if (!(failure instanceof Error && 'code' in failure && failure.code === 'ENOENT')) throw failure
  }
}

function readConfigOrComplain() {
  try {
    return readConfig()
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure
    process.stderr.write(`${failure.message}\n`)
    return null
  }
}

function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
}

/** What does not end in time is left to its lease: another process goes on with it. */
async function stopWithin(stop: () => Promise<void>, timeoutMs: number, log: Logger): Promise<boolean> {
  const late = new Promise<'late'>((resolve) => setTimeout(resolve, timeoutMs, 'late').unref())
  try {
    const ended = await Promise.race([stop().then(() => 'clean' as const), late])
    if (ended === 'late') log.warn({ event: 'app.stop_timeout', timeout_ms: timeoutMs }, 'not everything ended in time')
    return ended === 'clean'
  } catch (failure) {
    log.error({ event: 'app.stop_failed', err: failure }, 'not everything stopped cleanly')
    return false
  }
}
