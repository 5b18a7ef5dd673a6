import { realpath } from 'node:fs/promises'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeFolder } from './account.js'
import { findBinaries } from './binaries.js'
import { type Cluster, NAME, openCluster } from './cluster.js'
import { connect } from './connect.js'
import { takeLock } from './lock.js'
import { boundLog } from './log-file.js'
import { findOrphan } from './orphan.js'
import { launch, type Postmaster } from './postmaster.js'
import { supervise } from './supervise.js'

/**
 * A PostgreSQL server inside the service, for trying it, developing, and one small machine.
 *
 * The composition root starts it when `DATABASE_URL` is not set. It listens on 127.0.0.1 only, on a free port, with a
 * password of its own; it is restarted on the same port when it dies, and a server that outlived a killed service is
 * taken over with everything that it committed. One process for each data folder: a second start throws and names the
 * first. Every error says what the operator can do. After `stop()` the server is gone and the folder is free.
 */
export type EmbeddedPostgres = { url: string; stop(): Promise<void> }

/** An event name with its fields; never values from the database. */
export type EmbeddedLog = (event: string, fields: Record<string, unknown>) => void

export type EmbeddedOptions = { dataDir: string; log?: EmbeddedLog }

/** For the question and its answer: it copies a folder and waits for the disk, right after all the files of a new cluster. */
const MAKE_DATABASE_MS = 60_000
const FIRST_PAUSES_MS = [100, 300, 900, 2_700]

export async function startEmbeddedPostgres({ dataDir, log = () => {} }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries()
  await makeFolder(dataDir)
  const folder = await realpath(dataDir)
  const lock = await takeLock(folder)
  try {
    const cluster = await openCluster(folder, binaries)
    await boundLog(cluster.logFile)
    const postmaster = await adoptOrLaunch(cluster, log)
    const server = supervise(cluster, postmaster, log)
    await makeDatabase(cluster, postmaster.port).catch(async (error: unknown) => {
      await server.stop()
      throw error
    })
    return {
      url: `postgresql://${NAME}:${cluster.password}@127.0.0.1:${postmaster.port}/${NAME}`,
      // The lock goes last: whoever gets it finds no server of ours.
      stop: async () => {
        try {
          await server.stop()
        } finally {
          await lock.release()
        }
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function adoptOrLaunch(cluster: Cluster, log: EmbeddedLog): Promise<Postmaster> {
  const orphan = await findOrphan(cluster)
  if (orphan.kind === 'adopted') {
    log('postgres_adopted', { pid: orphan.postmaster.pid, port: orphan.postmaster.port })
    return orphan.postmaster
  }
  if (orphan.kind === 'ended') log('postgres_orphan_ended', { pid: orphan.pid })
  const postmaster = await firstLaunch(cluster)
  log('postgres_started', { pid: postmaster.pid, port: postmaster.port })
  return postmaster
}

async function firstLaunch(cluster: Cluster): Promise<Postmaster> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await launch(cluster, await freePort(), new AbortController().signal)
    } catch (error) {
      // The free port was taken meanwhile, or sessions of a killed server have not noticed yet: both pass.
      const pause = /already in use|still in use/.test(String(error)) ? FIRST_PAUSES_MS[attempt] : undefined
      if (pause === undefined) throw error
      await sleep(pause)
    }
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', resolve)
  })
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('There is no free port on 127.0.0.1.')
  return address.port
}

async function makeDatabase(cluster: Cluster, port: number): Promise<void> {
  const session = await connect(cluster, port, 'postgres', MAKE_DATABASE_MS)
  if (session.kind !== 'connected') throw new Error(`The embedded PostgreSQL on port ${port} stopped answering.`)
  try {
    const found = await session.query(`SELECT 1 FROM pg_database WHERE datname = '${NAME}'`)
    if (found.length === 0) await session.query(`CREATE DATABASE ${NAME}`)
  } finally {
    await session.close()
  }
}
