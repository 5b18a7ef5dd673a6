import { resolve } from 'node:path'
import { readDatabaseConfig } from '../config.js'
import { hasEmbeddedData, openEmbeddedPostgres } from '../platform/embedded/attach.js'
import { loadDotEnv } from './dot-env.js'
import { untilSignal } from './until-signal.js'

/** A database as it is, whatever its schema and its keys: for commands that carry it away, or bring it. */
export interface Place {
  url: string
  /** In words and without its password. */
  words: string
  /** Aborted by a signal, with the reason. */
  signal: AbortSignal
}

/**
 * Gives a command the database of DATABASE_URL, or the embedded one in BGC_DATA_DIR, which is joined where a service runs
 * on it and else runs for as long as the command does. `make`: whether the embedded one is made where there is none.
 */
export async function withUrl<T>({ make }: { make: boolean }, work: (place: Place) => Promise<T>): Promise<T> {
  loadDotEnv()
  const { databaseUrl, dataDir } = readDatabaseConfig()
  const told = new AbortController()
  void untilSignal().then((name) => told.abort(new Error(`ended by ${name}: nothing was left half done`)))
  const { signal } = told
  if (databaseUrl !== undefined) return work({ url: databaseUrl, words: 'the database of DATABASE_URL', signal })
  const folder = resolve(dataDir)
  if (!make && !(await hasEmbeddedData(folder))) {
    throw new Error(`there is no database in ${folder}: check BGC_DATA_DIR or set DATABASE_URL as the service has it`)
  }
  const server = await openEmbeddedPostgres({ dataDir: folder })
  try {
    return await work({ url: server.url, words: `the embedded database in ${folder}`, signal })
  } finally {
    await server.stop()
  }
}
