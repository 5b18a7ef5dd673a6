import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from './cluster.js'
import { connect } from './connect.js'
import { disown, type PidFile, readPidFile } from './pid-file.js'
import { makePostmaster, type Postmaster, shutDown, untilGone } from './postmaster.js'
import { commandLine, isAlive } from './process.js'

/**
 * What a service that was killed left behind. Its PostgreSQL lives on: it is adopted when it answers and serves this
 * folder, and ended when it does not. A `postmaster.pid` whose process is dead, or is another program by now, is set right.
 */
export type Orphan = { kind: 'none' } | { kind: 'adopted'; postmaster: Postmaster } | { kind: 'ended'; pid: number }

const SETTLE_MS = 30_000

export async function findOrphan(cluster: Cluster): Promise<Orphan> {
  const left = await readPidFile(cluster)
  if (!left || !(await isAlive(left.pid))) return { kind: 'none' }
  // Only a process that names our folder may be ended; any other has got a pid that was once PostgreSQL's.
  const ours = ((await commandLine(left.pid)) ?? '').includes(` -D ${cluster.data} `)
  const adopt = await servesUs(cluster, left, ours ? SETTLE_MS : 0)
  if (!adopt && !ours) {
    await disown(cluster, left)
    return { kind: 'none' }
  }
  const postmaster = makePostmaster(left.pid, left.port, untilGone(left.pid))
  if (adopt) return { kind: 'adopted', postmaster }
  await shutDown(postmaster)
  return { kind: 'ended', pid: left.pid }
}

async function servesUs(cluster: Cluster, { pid, port }: PidFile, settleMs: number): Promise<boolean> {
  const deadline = Date.now() + settleMs
  do {
    const answer = await connect(cluster, port, 'postgres')
    if (answer.kind === 'connected') {
      const asked = answer.query(`SELECT current_setting('data_directory') AS data`)
      // One that takes connections and then says nothing is as good as silent.
      const [row] = await asked.catch(() => [])
      await answer.close()
      return row?.data === cluster.data
    }
    if (answer.kind !== 'later') return false
    await sleep(50)
  } while (Date.now() < deadline && (await isAlive(pid)))
  return false
}
