import type pg from 'pg'
import { Gauge, type Registry } from 'prom-client'
import type { Parts } from '../app.js'
import { isWhole } from '../platform/queue/redis-whole.js'
import { readVersion } from '../platform/version.js'
import { type BacklogQuery, backlogQueries } from './backlog.js'

type GaugeParts = Pick<Parts, 'config' | 'database' | 'log' | 'metrics' | 'redis'>

/** What a scrape waits for at most, in ms: Prometheus gives up after ten seconds. */
const usuallyWithinMs = 2000
const oneStatementMs = 10_000
/** Figures are at least so old before they are counted anew, and counting takes no more than a twentieth of the time. */
const freshForMs = 5000
const restFactor = 20

/**
 * Gauges of this process and of what is in the database, the same in each process. The answer brings them up to date for
 * a scrape and never fails: without a database its gauges are absent, but for `bgc_database_up`.
 */
export function registerGauges(parts: GaugeParts, withinMs = usuallyWithinMs): () => Promise<void> {
  const { metrics, database, log, config } = parts
  registerProcess(metrics.registry, parts)
  const up = gauge(metrics.registry, 'bgc_database_up', '1 while PostgreSQL answers within two seconds.', [])
  const offset = gauge(metrics.registry, 'bgc_clock_offset_seconds', 'This machine’s clock, less PostgreSQL’s.', [])
  const backlog = createBacklog(metrics.registry, database.pool, backlogQueries(config.retentionDays))
  const count = createThrottle(async () => {
    try {
      await backlog.count()
    } catch (failure) {
      backlog.forget()
      log.warn({ event: 'metrics.backlog_unknown', err: failure }, 'the backlog could not be counted')
    }
  })
  return async () => {
    const deadline = late(withinMs)
    const aheadMs = await Promise.race([clockOffsetMs(database.pool), deadline])
    up.set(aheadMs === 'late' ? 0 : 1)
    if (aheadMs === 'late') {
      backlog.forget()
      return makeAbsent(offset)
    }
    offset.set(aheadMs / 1000)
    await Promise.race([count(), deadline])
  }
}

function late(withinMs: number): Promise<'late'> {
  return new Promise((resolve) => setTimeout(resolve, withinMs, 'late').unref())
}

/** `late`: it could not be asked. Half of the way there and back is taken for the way back. */
async function clockOffsetMs(pool: pg.Pool): Promise<number | 'late'> {
  const sentAt = Date.now()
  try {
    const { rows } = await pool.query<{ ms: number }>(
      'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms',
    )
    return (sentAt + Date.now()) / 2 - (rows[0]?.ms ?? Number.NaN)
  } catch {
    // Whoever needs the database says in the log what is wrong with it.
    return 'late'
  }
}

function createBacklog(registry: Registry, pool: pg.Pool, queries: readonly BacklogQuery[]) {
  const filled = queries.map(({ sql, gauges }) => ({
    sql,
    gauges: gauges.map(({ name, help, label, column }) => ({
      label,
      column,
      gauge: gauge(registry, name, help, label === undefined ? [] : [label]),
    })),
  }))
  const forget = () => {
    for (const { gauges } of filled) for (const { gauge: each, label } of gauges) makeAbsent(each, label)
  }
  forget()
  return {
    forget,
    count: async () => {
      const found = await readAll(pool, queries)
      for (const [index, { gauges }] of filled.entries()) {
        for (const { gauge: each, label, column } of gauges) fill(each, label, column, found[index] ?? [])
      }
    },
  }
}

/** A gauge without labels is 0 after its reset. */
function makeAbsent(each: Gauge, label?: string): void {
  each.reset()
  if (label === undefined) each.remove()
}

type Row = Partial<Record<'n' | 'age', number>> & { label?: string | null }

function fill(into: Gauge, label: string | undefined, column: 'n' | 'age', rows: readonly Row[]): void {
  into.reset()
  for (const row of rows) into.set(label === undefined ? {} : { [label]: row.label ?? 'none' }, row[column] ?? 0)
}

/** In one transaction, which ends the statements that take too long without touching those of others. */
async function readAll(pool: pg.Pool, queries: readonly BacklogQuery[]): Promise<Row[][]> {
  const client = await pool.connect()
  let broken = true
  try {
    await client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${oneStatementMs}`)
    const found: Row[][] = []
    for (const { sql } of queries) found.push((await client.query<Row>(sql)).rows)
    await client.query('COMMIT')
    broken = false
    return found
  } finally {
    client.release(broken)
  }
}

/** One count at a time; a later caller waits for the one that runs, or takes what is fresh enough. */
function createThrottle(count: () => Promise<void>): () => Promise<void> {
  let notBefore = Number.NEGATIVE_INFINITY
  let running: Promise<void> | undefined
  return async () => {
    if (running === undefined && performance.now() >= notBefore) {
      const startedAt = performance.now()
      running = count().finally(() => {
        running = undefined
        const endedAt = performance.now()
        notBefore = endedAt + Math.max(freshForMs, restFactor * (endedAt - startedAt))
      })
    }
    await running
  }
}

function registerProcess(registry: Registry, { config, database, redis }: GaugeParts): void {
  const build = gauge(registry, 'bgc_build_info', 'Always 1: what runs here.', ['version', 'node'])
  build.set({ version: readVersion(), node: process.version }, 1)
  const role = gauge(registry, 'bgc_role_info', 'Always 1, for each role of this process.', ['role'])
  for (const each of config.roles) role.set({ role: each }, 1)
  const pools = { work: database.pool, intake: database.intake }
  const labelNames = ['pool', 'state']
  const connections = gauge(registry, 'bgc_database_connections', 'Connections to PostgreSQL.', labelNames, () => {
    for (const [pool, { idleCount, totalCount }] of Object.entries(pools)) {
      connections.set({ pool, state: 'idle' }, idleCount)
      connections.set({ pool, state: 'busy' }, totalCount - idleCount)
    }
  })
  const waiting = gauge(
    registry,
    'bgc_database_waiting_for_connection',
    'Who waits for a connection.',
    ['pool'],
    () => {
      for (const [pool, { waitingCount }] of Object.entries(pools)) waiting.set({ pool }, waitingCount)
    },
  )
  if (redis === undefined) return
  const help = '1 while Redis answers, and all of it; absent where no Redis is set.'
  const up = gauge(registry, 'bgc_redis_up', help, [], async () => {
    // Whoever needs it says in the log what is wrong with it.
    const whole = isWhole(redis).catch(() => false)
    up.set((await Promise.race([whole, late(usuallyWithinMs)])) === true ? 1 : 0)
  })
}

type Collect = () => void | Promise<void>

function gauge(registry: Registry, name: string, help: string, labelNames: string[], collect?: Collect): Gauge {
  return new Gauge({ name, help, labelNames, registers: [registry], ...(collect && { collect }) })
}
