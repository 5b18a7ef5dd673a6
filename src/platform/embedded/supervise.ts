import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from './cluster.js'
import { boundLog } from './log-file.js'
import type { EmbeddedLog } from './postgres.js'
import { launch, type Postmaster, shutDown } from './postmaster.js'
import { signal } from './process.js'

const BACKOFF = { firstMs: 100, mostMs: 10_000, soundAfterMs: 30_000 }
const LOG_CHECK_MS = 60_000

/** Keeps PostgreSQL running on its port, so that pools reconnect, until it is told to stop. */
export function supervise(cluster: Cluster, first: Postmaster, log: EmbeddedLog): { stop(): Promise<void> } {
  const stopping = new AbortController()
  let current = first
  // For an exit without a stop: the server ends by itself after this signal.
  const atExit = () => {
    if (!current.isGone()) signal(current.pid, 'SIGINT')
  }
  process.on('exit', atExit)
  const bound = setInterval(() => {
    boundLog(cluster.logFile).catch((error: unknown) => log('postgres_log_unbounded', { error: String(error) }))
  }, LOG_CHECK_MS).unref()

  const watch = async () => {
    for (let quickDeaths = 0; ; ) {
      const since = Date.now()
      await current.gone
      if (stopping.signal.aborted) return
      const lived = Date.now() - since
      quickDeaths = lived < BACKOFF.soundAfterMs ? quickDeaths + 1 : 0
      log('postgres_died', { pid: current.pid, lived_ms: lived })
      if (quickDeaths > 1) await pause(quickDeaths - 2, stopping.signal)
      const next = await revive(cluster, current.port, stopping.signal, log)
      if (!next) return
      if (stopping.signal.aborted) return shutDown(next)
      current = next
      log('postgres_restarted', { pid: current.pid, port: current.port })
    }
  }
  const watching = watch()
  let stopped: Promise<void> | undefined
  const stop = async () => {
    stopping.abort()
    clearInterval(bound)
    await Promise.all([shutDown(current), watching])
    process.off('exit', atExit)
  }
  return { stop: () => (stopped ??= stop()) }
}

async function revive(
  cluster: Cluster,
  port: number,
  stopping: AbortSignal,
  log: EmbeddedLog,
): Promise<Postmaster | null> {
  for (let attempt = 0; !stopping.aborted; attempt++) {
    try {
      return await launch(cluster, port, stopping)
    } catch (error) {
      if (stopping.aborted) return null
      log('postgres_restart_failed', { attempt, retry_in_ms: backoff(attempt), error: String(error) })
      await pause(attempt, stopping)
    }
  }
  return null
}

const backoff = (attempt: number) => Math.min(BACKOFF.firstMs * 2 ** attempt, BACKOFF.mostMs)

/** Waits before a further attempt; a stop ends the wait. */
const pause = (attempt: number, stopping: AbortSignal) =>
  sleep(backoff(attempt), undefined, { signal: stopping, ref: false }).catch(() => undefined)
