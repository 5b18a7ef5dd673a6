import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { NAME, readOrNull } from './cluster.js'
import { connect } from './connect.js'
import { FolderInUse } from './lock.js'
import { peekPidFile } from './pid-file.js'
import { type EmbeddedOptions, type EmbeddedPostgres, startEmbeddedPostgres } from './postgres.js'
import { isAlive, isErrno } from './process.js'

/** A service that starts or stops at this moment has been up or gone within this. */
const PATIENCE_MS = 30_000

/**
 * The embedded PostgreSQL for a short while, beside a service or without one: the server that runs on the data folder is
 * used as it is and goes on after `stop()`; where none runs, one is started, and stopped again.
 */
export async function openEmbeddedPostgres(
  options: EmbeddedOptions,
  patienceMs = PATIENCE_MS,
): Promise<EmbeddedPostgres> {
  for (const deadline = Date.now() + patienceMs; ; await sleep(100)) {
    const url = await findRunning(options.dataDir)
    if (url !== null) return { url, stop: async () => undefined }
    try {
      return await startEmbeddedPostgres(options)
    } catch (failure) {
      if (!(failure instanceof FolderInUse)) throw failure
      if (Date.now() > deadline) throw new Error(unreachable(failure), { cause: failure })
    }
  }
}

/** Whether there is a database in the folder already, running or not. */
export async function hasEmbeddedData(dataDir: string): Promise<boolean> {
  return (await readOrNull(join(dataDir, 'postgres', 'PG_VERSION'))) !== null
}

/** The address of a server that serves this very folder and has our database; null when there is none, or not yet. */
async function findRunning(dataDir: string): Promise<string | null> {
  const folder = await realOrNull(dataDir)
  if (folder === null) return null
  const data = join(folder, 'postgres')
  const running = await peekPidFile({ data })
  const password = (await readOrNull(join(folder, 'password')))?.trim()
  if (!running?.port || !password || !(await isAlive(running.pid))) return null
  const answer = await connect({ folder, password }, running.port, 'postgres')
  if (answer.kind === 'refused') throw answer.error
  if (answer.kind !== 'connected') return null
  try {
    const [row] = await answer.query(
      `SELECT current_setting('data_directory') AS data, EXISTS (SELECT 1 FROM pg_database WHERE datname = '${NAME}') AS made`,
    )
    if (row?.data !== data || row.made !== true) return null
    return `postgresql://${NAME}:${password}@127.0.0.1:${running.port}/${NAME}`
  } finally {
    await answer.close()
  }
}

async function realOrNull(path: string): Promise<string | null> {
  try {
    return await realpath(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw error
  }
}

const unreachable = ({ message }: FolderInUse) =>
  `The embedded PostgreSQL does not answer here although its folder is in use. ${message} ` +
  'In a container, run the command in the same container.'
