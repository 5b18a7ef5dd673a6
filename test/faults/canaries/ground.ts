import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { startEmbeddedPostgres } from '../../../src/platform/embedded/postgres.js'
import { startRedis } from '../../support/redis.js'

/** A PostgreSQL and a Redis of the test's own, which forget nothing of what was written to them. */
export interface StoreFiles {
  databaseUrl: string
  redisUrl: string
  /** Every file of both, with whatever their logs of changes hold since the start. */
  files(): Promise<Array<{ path: string; bytes: Buffer }>>
  query(sql: string, values?: unknown[]): Promise<Array<Record<string, unknown>>>
  stop(): Promise<void>
}

export async function startStores(): Promise<StoreFiles> {
  const dataDir = await mkdtemp(join(tmpdir(), 'bgc-canaries-'))
  const server = await startEmbeddedPostgres({ dataDir })
  const redis = await startRedis()
  const client = new pg.Client({ connectionString: server.url })
  client.on('error', () => undefined)
  await client.connect()
  // Segments of the write-ahead log are neither removed nor used again.
  for (const set of [`wal_keep_size = '4GB'`, `wal_recycle = off`]) await client.query(`ALTER SYSTEM SET ${set}`)
  await client.query('SELECT pg_reload_conf()')
  const redisFolder = await rememberAll(redis.url)
  return {
    databaseUrl: server.url,
    redisUrl: redis.url,
    files: async () => {
      await client.query('CHECKPOINT')
      await save(redis.url)
      return [...(await readAll(dataDir)), ...(await readAll(redisFolder))]
    },
    query: async (sql, values) => (await client.query(sql, values)).rows,
    stop: async () => {
      await client.end()
      await Promise.all([server.stop(), redis.stop()])
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** Every command that writes is appended to a file, and nothing is compressed. */
async function rememberAll(url: string): Promise<string> {
  return withRedis(url, async (client) => {
    await client.config('SET', 'rdbcompression', 'no')
    await client.config('SET', 'auto-aof-rewrite-percentage', '0')
    await client.config('SET', 'appendonly', 'yes')
    const [, dir] = (await client.config('GET', 'dir')) as [string, string]
    return dir
  })
}

function save(url: string): Promise<unknown> {
  return withRedis(url, (client) => client.save())
}

async function withRedis<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url)
  try {
    return await use(client)
  } finally {
    client.disconnect()
  }
}

async function readAll(folder: string): Promise<Array<{ path: string; bytes: Buffer }>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Promise.all(paths.map(async (path) => ({ path, bytes: await readFile(path).catch(() => Buffer.alloc(0)) })))
}

/** A folder with a file in it; both go with `remove`. */
export async function fileWith(name: string, text: string): Promise<{ path: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-canaries-'))
  await writeFile(join(folder, name), text)
  return { path: join(folder, name), remove: () => rm(folder, { recursive: true, force: true }) }
}
