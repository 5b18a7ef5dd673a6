import pg from 'pg'
import type { Started } from '../lifetime.js'
import type { Logger } from '../logger.js'
import { applicationName, withoutKeys } from './application-name.js'
import type { PrismaClient } from './generated/client.js'
import { readTarget } from './migrate.js'
import { openPool } from './pool.js'

export type Sql = Pick<pg.ClientBase, 'query'>

/**
 * PostgreSQL, the truth of the service. Hot paths speak SQL over `pool`; what people look at is read through `prisma`
 * (its model API costs about three raw statements), and is loaded when somebody first does. Both share the pool.
 */
export interface Database extends Started {
  pool: pg.Pool
  /** For acknowledgements only: few connections and short timeouts, so that a slow database answers 503 in time. */
  intake: pg.Pool
  prisma(): Promise<PrismaClient>
  /** Runs `work` in one transaction; anything it throws rolls back. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>
}

/**
 * PostgreSQL ends a statement after so long. A connection that says nothing for longer is half-open, as a firewall or a
 * lost host leaves it: without a limit of our own, whoever waits on it would wait until the kernel gives up.
 */
const statementTimeoutMs = 30_000
const silenceMs = statementTimeoutMs + 5000
/** A connection that does not even roll back within so long is given up. */
const rollBackWithinMs = 5000

/** Statement, lock and pool waits of the intake end here, in ms: Feishu hangs up at 3 s. */
const intakeTimeoutMs = 2000

export interface DatabaseOptions {
  /** `?schema=` names the PostgreSQL schema to work in, `public` without it. */
  url: string
  log: Logger
  connections?: number
  /** A connection that says nothing for so long is given up. */
  answerWithinMs?: number
  /** Marks of the keys that the process seals and opens with: it shows them for as long as it runs (key-marks.ts). */
  keyMarks?: readonly string[]
}

export function openDatabase({
  url,
  log,
  connections = 10,
  answerWithinMs = silenceMs,
  keyMarks,
}: DatabaseOptions): Database {
  const { connection, schema } = readTarget(url)
  // What is acknowledged must be on disk, whatever the server's default says.
  const options = `-c synchronous_commit=on -c search_path=${pg.escapeIdentifier(schema)}`
  const name = keyMarks === undefined ? withoutKeys : applicationName(schema, keyMarks)
  const common = { ...connection, application_name: name, options }
  const lost = (failure: Error) => log.warn({ event: 'database.connection_lost', err: failure }, 'a connection broke')
  // A process that has nothing to do is seen all the same.
  const min = keyMarks === undefined ? 0 : 1
  const limits = {
    max: connections,
    min,
    connectionTimeoutMillis: 10_000,
    statement_timeout: statementTimeoutMs,
    query_timeout: answerWithinMs,
  }
  const pool = openPool({ ...common, ...limits }, lost)
  const intakeLimits = {
    max: 2,
    connectionTimeoutMillis: intakeTimeoutMs,
    statement_timeout: intakeTimeoutMs,
    lock_timeout: intakeTimeoutMs,
    query_timeout: intakeTimeoutMs,
  }
  const intake = openPool({ ...common, ...intakeLimits }, lost)
  let prisma: Promise<PrismaClient> | undefined
  let stopped: Promise<void> | undefined
  return {
    pool,
    intake,
    prisma: () => {
      prisma ??= openPrisma(pool, schema)
      return prisma
    },
    transaction: (work) => inTransaction(pool, work),
    stop: () => {
      stopped ??= disconnect(prisma).then(async () => {
        await Promise.all([pool.end(), intake.end()])
      })
      return stopped
    },
  }
}

/** A process that nobody looks into does without the client, which takes a while to load and some 10 MB. */
async function openPrisma(pool: pg.Pool, schema: string): Promise<PrismaClient> {
  const [{ PrismaPg }, { PrismaClient }] = await Promise.all([
    import('@prisma/adapter-pg'),
    import('./generated/client.js'),
  ])
  return new PrismaClient({ adapter: new PrismaPg(pool, { schema }) })
}

async function disconnect(prisma: Promise<PrismaClient> | undefined): Promise<void> {
  // Whoever asked for it has heard why it could not be loaded.
  const client = await prisma?.catch(() => undefined)
  await client?.$disconnect()
}

// `pg` reads the time from the query, and its types do not say so.
const rollBack: pg.QueryConfig & { query_timeout: number } = { text: 'ROLLBACK', query_timeout: rollBackWithinMs }

async function inTransaction<T>(pool: pg.Pool, work: (sql: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    return result
  } catch (failure) {
    await client.query(rollBack).catch((cause: unknown) => {
      broken = cause instanceof Error ? cause : new Error('the roll-back failed', { cause })
    })
    throw failure
  } finally {
    client.release(broken)
  }
}
