import { Redis } from 'ioredis'
import { apiKey } from '../../test/faults/kit/world.js'
import type { Process } from './process.js'
import { sumsOf } from './prometheus.js'
import type { SoakWorld } from './world.js'

export interface ProcessSample {
  name: string
  /** Another one after each start. */
  life: string
  rssMiB: number
  heapMiB: number
  externalMiB: number
  /** p99 since the last sample. */
  loopLagMs: number
  files: number
  handles: number
}

export interface StoreSample {
  connections: number
  databaseMiB: number
  /** Of the tables that hold only what is under way. */
  queueTablesMiB: number
  deadTuples: number
  eventsWaiting: number
  oldestEventS: number
  deliveriesWaiting: number
  oldestDeliveryS: number
  ordersOpen: number
  tasksWaiting: number
  tasksLateS: number
  pollsLateS: number
}

export interface RedisSample {
  redisMiB: number
  redisKeys: number
}

/** What could not be asked is missing: a process that stands still, a store that is away. */
export interface Sample {
  /** ms since 1970. */
  at: number
  processes: ProcessSample[]
  store: StoreSample | undefined
  redis: RedisSample | undefined
  /** The process that holds the customers, both sandboxes and all links. */
  ownRssMiB: number
}

const mib = 1024 ** 2
const withinMs = 3000

export async function takeSample(world: SoakWorld): Promise<Sample> {
  const at = Date.now()
  const [processes, store, redis] = await Promise.all([
    Promise.all(world.processes.map(askProcess)),
    askStore(world),
    world.redis === undefined ? undefined : askRedis(world.redis.port),
  ])
  const ownRssMiB = process.memoryUsage.rss() / mib
  return { at, processes: processes.filter((each) => each !== undefined), store, redis, ownRssMiB }
}

async function askProcess({ name, port }: Process): Promise<ProcessSample | undefined> {
  const sums = await readMetrics(port)
  if (sums === undefined) return undefined
  const of = (metric: string) => sums.get(metric) ?? Number.NaN
  return {
    name,
    life: `${name} since ${of('bgc_process_start_time_seconds')}`,
    rssMiB: of('bgc_process_resident_memory_bytes') / mib,
    heapMiB: of('bgc_nodejs_heap_size_used_bytes') / mib,
    externalMiB: of('bgc_nodejs_external_memory_bytes') / mib,
    loopLagMs: of('bgc_nodejs_eventloop_lag_p99_seconds') * 1000,
    files: of('bgc_process_open_fds'),
    handles: of('bgc_nodejs_active_handles'),
  }
}

async function readMetrics(port: number): Promise<Map<string, number> | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
      headers: { authorization: `Bearer ${apiKey}` },
      signal: AbortSignal.timeout(withinMs),
    })
    return response.ok ? sumsOf(await response.text()) : undefined
  } catch {
    // It is killed, stands still or starts: that is what the faults are for.
    return undefined
  }
}

const queueTables = `('vendor_tasks', 'poll_schedule', 'buckets', 'feishu_tokens', 'process_leases')`
const age = (time: string) => `coalesce(greatest(0, extract(epoch FROM now() - min(${time}))), 0)::float8`

const storeSql = `SELECT
  (SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
    AND pid <> pg_backend_pid()) AS connections,
  (pg_database_size(current_database()) / ${mib}.0)::float8 AS "databaseMiB",
  (SELECT coalesce(sum(pg_total_relation_size(oid)), 0) / ${mib}.0 FROM pg_class
    WHERE relkind = 'r' AND relname IN ${queueTables})::float8 AS "queueTablesMiB",
  (SELECT coalesce(sum(n_dead_tup), 0)::float8 FROM pg_stat_user_tables) AS "deadTuples",
  events.*, deliveries.*, tasks.*,
  (SELECT count(*)::int FROM orders WHERE state NOT IN ('completed', 'canceled')) AS "ordersOpen",
  (SELECT ${age('due_at')} FROM poll_schedule) AS "pollsLateS"
FROM (SELECT count(*)::int AS "eventsWaiting", ${age('received_at')} AS "oldestEventS"
    FROM events WHERE due_at IS NOT NULL) events,
  (SELECT count(*)::int AS "deliveriesWaiting", ${age('seen_at')} AS "oldestDeliveryS"
    FROM deliveries WHERE state IN ('pending', 'sending')) deliveries,
  (SELECT count(*)::int AS "tasksWaiting", ${age('due_at')} AS "tasksLateS" FROM vendor_tasks) tasks`

async function askStore(world: SoakWorld): Promise<StoreSample | undefined> {
  try {
    const [row] = await world.read<StoreSample & Record<string, number>>(storeSql)
    return row
  } catch {
    // PostgreSQL is away, or was just killed.
    return undefined
  }
}

async function askRedis(port: number): Promise<RedisSample | undefined> {
  const redis = new Redis({
    port,
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: withinMs,
    commandTimeout: withinMs,
  })
  redis.on('error', () => 'the question fails')
  try {
    const [memory, redisKeys] = await Promise.all([redis.info('memory'), redis.dbsize()])
    return { redisMiB: Number(/used_memory:(\d+)/.exec(memory)?.[1]) / mib, redisKeys }
  } catch {
    // Redis is away or stands still.
    return undefined
  } finally {
    redis.disconnect()
  }
}
