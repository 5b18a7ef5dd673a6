import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { giveTo } from './account.js'
import { BARE_ENVIRONMENT, type Cluster } from './cluster.js'
import { connect } from './connect.js'
import { tailOf } from './log-file.js'
import { disownDead } from './pid-file.js'
import { processStart, signal } from './process.js'
import { fixedSettings, writeDefaults } from './settings.js'

/** A running server process, ours or adopted. */
export type Postmaster = { pid: number; port: number; gone: Promise<void>; isGone: () => boolean }

export function makePostmaster(pid: number, port: number, gone: Promise<void>): Postmaster {
  let known = false
  // Asked before each signal: once it is gone, its pid may be another program's.
  const noted = gone.then(() => {
    known = true
  })
  return { pid, port, gone: noted, isGone: () => known }
}

const READY_MS = 60_000
const STOP_STEPS: readonly [NodeJS.Signals, number][] = [
  ['SIGINT', 15_000], // fast: ends sessions, writes a checkpoint
  ['SIGQUIT', 5_000], // immediate: the log is replayed at the next start
  ['SIGKILL', 5_000],
]

/** Starts PostgreSQL on this port and returns once it takes connections. */
export async function launch(cluster: Cluster, port: number, stop: AbortSignal): Promise<Postmaster> {
  await disownDead(cluster)
  const flags = flagsOf({ config_file: await writeDefaults(cluster), ...fixedSettings(port) })
  const log = await open(cluster.logFile, 'a', 0o600)
  await giveTo(cluster.account, cluster.logFile)
  const child = cluster.account.spawn(cluster.binaries.postgres, ['-D', cluster.data, ...flags], {
    // A process group of its own: Ctrl-C in a terminal must not end it before our graceful stop has used it.
    detached: true,
    cwd: '/',
    env: BARE_ENVIRONMENT,
    stdio: ['ignore', log.fd, log.fd],
  })
  const failed = new AbortController()
  const gone = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  }).then(() => failed.abort())
  child.unref()
  await log.close()
  if (child.pid === undefined) throw new Error(`PostgreSQL could not be started: ${cluster.binaries.postgres}`)
  const postmaster = makePostmaster(child.pid, port, gone)
  try {
    await untilReady(cluster, port, AbortSignal.any([stop, failed.signal]))
    return postmaster
  } catch (cause) {
    await shutDown(postmaster)
    throw new Error(`PostgreSQL did not start. The end of its log:\n${await tailOf(cluster.logFile)}`, { cause })
  }
}

const flagsOf = (settings: Record<string, string | number>) =>
  Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])

async function untilReady(cluster: Cluster, port: number, stop: AbortSignal): Promise<void> {
  for (const deadline = Date.now() + READY_MS; ; ) {
    stop.throwIfAborted()
    const answer = await connect(cluster, port, 'postgres')
    if (answer.kind === 'connected') return answer.close()
    if (answer.kind === 'refused') throw answer.error
    if (Date.now() > deadline) throw new Error(`PostgreSQL takes no connections after ${READY_MS / 1000} s`)
    await sleep(20)
  }
}

/** Ends a server process: gently, then less so. Returns when it is gone. */
export async function shutDown(postmaster: Postmaster, steps = STOP_STEPS): Promise<void> {
  for (const [name, patience] of steps) {
    if (postmaster.isGone() || !signal(postmaster.pid, name)) return postmaster.gone
    // One that is suspended (SIGSTOP) would see nothing but SIGKILL.
    signal(postmaster.pid, 'SIGCONT')
    if (await within(patience, postmaster.gone)) return
  }
  throw new Error(`PostgreSQL (process ${postmaster.pid}) does not end.`)
}

async function within(ms: number, event: Promise<void>): Promise<boolean> {
  const decided = new AbortController()
  const late = sleep(ms, false, { signal: decided.signal }).catch(() => false)
  return Promise.race([event.then(() => true), late]).finally(() => decided.abort())
}

/** Settles when a process that is not our child is gone, and not when another gets its pid. */
export async function untilGone(pid: number): Promise<void> {
  const start = await processStart(pid)
  while (start !== null && (await processStart(pid)) === start) await sleep(100, undefined, { ref: false })
}
