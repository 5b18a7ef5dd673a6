import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { freePort, startEmbeddedPostgres } from '../../src/platform/embedded/postgres.js'

/** PostgreSQL and Redis of the benchmark's own, and a folder that goes with them. */
export interface Stores {
  databaseUrl: string
  redisUrl: string
  folder: string
  postgresVersion(): Promise<string>
  stop(): Promise<void>
}

export async function withStores<T>(work: (stores: Stores) => Promise<T>): Promise<T> {
  const stores = await startStores()
  try {
    return await work(stores)
  } finally {
    await stores.stop()
  }
}

async function startStores(): Promise<Stores> {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-bench-'))
  const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'data') })
  const redis = await startRedis(join(folder, 'redis'))
  return {
    databaseUrl: postgres.url,
    redisUrl: redis.url,
    folder,
    postgresVersion: () => versionOf(postgres.url),
    stop: async () => {
      await Promise.all([postgres.stop(), redis.stop()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function versionOf(url: string): Promise<string> {
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version')
  await client.end()
  return rows[0]?.server_version ?? 'unknown'
}

export async function startRedis(dir: string) {
  await mkdir(dir)
  const port = await freePort()
  const options = { port, bind: '127.0.0.1', dir, save: '', appendonly: 'no', 'maxmemory-policy': 'noeviction' }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn('redis-server', args, { stdio: 'ignore' })
  process.once('exit', () => child.kill('SIGKILL'))
  const client = new Redis({ port, maxRetriesPerRequest: 100, retryStrategy: () => 20 })
  client.on('error', () => 'the ping fails when it has been tried often enough')
  await client.ping()
  client.disconnect()
  return { url: `redis://127.0.0.1:${port}`, stop: () => end(child) }
}

export async function emptyRedis(url: string): Promise<void> {
  const redis = new Redis(url)
  await redis.flushall()
  redis.disconnect()
}

async function end(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
