import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { type Cluster, NAME } from './cluster.js'
import { isErrno } from './process.js'

type Answer =
  | { kind: 'connected'; query: (sql: string) => Promise<Record<string, unknown>[]>; close: () => Promise<void> }
  /** It is starting or stopping, or nobody listens: ask again. */
  | { kind: 'later' }
  /** Somebody listens and says nothing. */
  | { kind: 'silent' }
  | { kind: 'refused'; error: Error }

const ANSWER_MS = 3_000
// https://www.postgresql.org/docs/18/errcodes-appendix.html
const CANNOT_CONNECT_NOW = '57P03'
const TOO_MANY_CONNECTIONS = '53300'
const WRONG_PASSWORD = '28P01'

type Secret = Pick<Cluster, 'folder' | 'password'>

/** One session, to ask whether a server answers and is ours. */
export async function connect(cluster: Secret, port: number, database: string, patience = ANSWER_MS): Promise<Answer> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: NAME,
    password: cluster.password,
    database,
    connectionTimeoutMillis: patience,
    query_timeout: patience,
  })
  // A session may end while idle; whoever asks next hears of it.
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (error) {
    return explain(error, cluster)
  }
  return {
    kind: 'connected',
    query: async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
    // A server that hangs would not even say goodbye.
    close: () => Promise.race([client.end(), sleep(patience, undefined, { ref: false })]),
  }
}

function explain(error: unknown, cluster: Secret): Answer {
  if (!(error instanceof Error)) return { kind: 'refused', error: new Error(String(error)) }
  if (isErrno(error, WRONG_PASSWORD)) {
    const message = `PostgreSQL does not accept the password in ${cluster.folder}/password: put the original back.`
    return { kind: 'refused', error: new Error(message, { cause: error }) }
  }
  if (isErrno(error, CANNOT_CONNECT_NOW, TOO_MANY_CONNECTIONS, 'ECONNREFUSED', 'ECONNRESET')) return { kind: 'later' }
  if (/timeout/.test(error.message)) return { kind: 'silent' }
  if (/terminated/.test(error.message)) return { kind: 'later' }
  return { kind: 'refused', error }
}
