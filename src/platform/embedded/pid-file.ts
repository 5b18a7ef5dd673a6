import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cluster, readOrNull } from './cluster.js'
import { isAlive } from './process.js'

export type PidFile = { pid: number; port: number; rest: string }

const fileOf = ({ data }: Pick<Cluster, 'data'>) => join(data, 'postmaster.pid')

/** For whoever holds the folder's lock. */
export async function readPidFile(cluster: Cluster): Promise<PidFile | null> {
  const text = await readOrNull(fileOf(cluster))
  if (text === null) return null
  const read = parse(text)
  // What a power cut leaves; PostgreSQL would refuse to start on it.
  if (read === null) await rm(fileOf(cluster))
  return read
}

/** For everybody else: changes nothing, since a file that says nothing yet may be about to be written. */
export async function peekPidFile(cluster: Pick<Cluster, 'data'>): Promise<PidFile | null> {
  const text = await readOrNull(fileOf(cluster))
  return text === null ? null : parse(text)
}

// Lines of the file: pid, data folder, start, port, … (src/include/utils/pidfile.h)
function parse(text: string): PidFile | null {
  const [pid, , , port] = text.split('\n').map(Number)
  return pid && pid > 0 ? { pid, port: port || 0, rest: text.slice(text.indexOf('\n')) } : null
}

/**
 * PostgreSQL refuses to start while the process in its file exists, be it a zombie or a stranger with a reused pid. Its
 * parent's pid it takes for dead, so ours is written there. Removing the file would also remove PostgreSQL's own check
 * for sessions of the dead server that still use its memory, which is what protects the data.
 */
export const disown = (cluster: Cluster, { rest }: PidFile) => writeFile(fileOf(cluster), `${process.pid}${rest}`)

/** To be called before each launch: nobody may reap a server that we adopted. */
export async function disownDead(cluster: Cluster): Promise<void> {
  const left = await readPidFile(cluster)
  if (left && !(await isAlive(left.pid))) await disown(cluster, left)
}
