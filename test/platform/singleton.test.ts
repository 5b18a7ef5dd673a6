import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { openPool } from '../../src/platform/database/pool.js'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded/postgres.js'
import { createLogger } from '../../src/platform/logger.js'
import { holdSingleton, type SingletonOptions } from '../../src/platform/singleton.js'
import { until } from './embedded-kit.js'

const NOBODY = 4_194_303
const silent = createLogger('silent')
let root: string
let server: EmbeddedPostgres
let pool: pg.Pool
let count = 0

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bgc-singleton-'))
  server = await startEmbeddedPostgres({ dataDir: join(root, 'data') })
  pool = openPool({ connectionString: server.url })
  // Its sessions close after `end()` has returned, and may see the server go.
  pool.on('error', () => undefined)
  await pool.query(`CREATE TABLE IF NOT EXISTS process_leases (name text PRIMARY KEY, owner uuid NOT NULL,
    host text NOT NULL, pid int NOT NULL, started_at timestamptz NOT NULL, beat_at timestamptz NOT NULL)`)
})

afterAll(async () => {
  await pool.end()
  await server.stop()
  await rm(root, { recursive: true, force: true })
})

const newName = () => `queue-${++count}`

/** Beats often here, so that nobody waits; the proportions are those of the service. */
async function hold(change: Partial<SingletonOptions>) {
  const onLost = vi.fn()
  const fast = { name: 'queue', host: 'here', pid: process.pid, log: silent, onLost, beatMs: 40, staleMs: 400 }
  const held = await holdSingleton(pool, { ...fast, ...change })
  onTestFinished(() => held.stop())
  return { ...held, onLost }
}

const rowOf = async (name: string) => (await pool.query('SELECT * FROM process_leases WHERE name = $1', [name])).rows[0]

/** A row that nobody beats, as old as given. */
const leave = (name: string, host: string, pid: number, ageMs: number) =>
  pool.query(
    `INSERT INTO process_leases VALUES ($1, gen_random_uuid(), $2, $3, now(), clock_timestamp() - $4 * interval '1 ms')`,
    [name, host, pid, ageMs],
  )

it('is held by one, which beats, and is free after its stop', async () => {
  const name = newName()
  const first = await hold({ name })
  const { beat_at } = await rowOf(name)
  await until('it beats', async () => (await rowOf(name)).beat_at > beat_at)
  await Promise.all([first.stop(), first.stop()])
  expect(await rowOf(name)).toBeUndefined()
  await hold({ name, host: 'there' })
  expect(first.onLost).not.toHaveBeenCalled()
})

it('refuses another process while the first lives, and says which and what to do', async () => {
  const name = newName()
  await hold({ name, pid: 17, staleMs: 60_000 })
  await expect(hold({ name, host: 'there', pid: 17, staleMs: 60_000 })).rejects.toThrow(
    /process 17 on here, since 20.*REDIS_URL/,
  )
})

it('refuses a second holder within the same process', async () => {
  const name = newName()
  await hold({ name, staleMs: 60_000 })
  await expect(hold({ name, staleMs: 60_000 })).rejects.toThrow(`process ${process.pid} on here`)
})

it.each([
  ['that died on this host', 'here', NOBODY],
  ['that had our own pid before this container restarted', 'here', process.pid],
])('is taken over at once from a process %s', async (_, host, pid) => {
  const name = newName()
  await leave(name, host, pid, 0)
  await hold({ name, staleMs: 60_000 })
  expect((await rowOf(name)).pid).toBe(process.pid)
})

it('is taken over from a dead host when the row is stale, not earlier', async () => {
  const name = newName()
  const before = performance.now()
  await leave(name, 'there', 1, 0)
  await hold({ name })
  expect(performance.now() - before).toBeGreaterThan(350)
  expect((await rowOf(name)).host).toBe('here')
})

it('goes to exactly one of many that find it stale at once', async () => {
  const name = newName()
  await leave(name, 'there', 1, 10_000)
  const held = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => hold({ name, host: `host-${i}` })))
  expect(held.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

it('tells its holder once when another took it, and then leaves the row alone', async () => {
  const name = newName()
  const paused = await hold({ name })
  await pool.query(`UPDATE process_leases SET owner = gen_random_uuid(), host = 'there' WHERE name = $1`, [name])
  await until('the loss is noticed', () => paused.onLost.mock.calls.length > 0)
  await paused.stop()
  expect(paused.onLost).toHaveBeenCalledOnce()
  expect((await rowOf(name)).host).toBe('there')
})

it('keeps the row through an outage of the database', async () => {
  const name = newName()
  const own = openPool({ connectionString: server.url, max: 1, application_name: 'outage' })
  own.on('error', () => undefined)
  onTestFinished(() => own.end())
  const onLost = vi.fn()
  const held = await holdSingleton(own, { name, host: 'here', pid: 17, log: silent, onLost, beatMs: 40, staleMs: 400 })
  onTestFinished(() => held.stop())
  await pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'outage'`)
  const { beat_at } = await rowOf(name)
  await until('it beats again', async () => (await rowOf(name)).beat_at > beat_at)
  expect(onLost).not.toHaveBeenCalled()
})

it('says once in the log that it cannot beat, and again when that happens anew', async () => {
  const name = newName()
  const lines: string[] = []
  const log = createLogger('warn', { write: (line) => lines.push(line) })
  let tried = 0
  let broken = false
  const own = {
    query: (text: string, values: unknown[]) => {
      if (!broken || !text.startsWith('UPDATE')) return pool.query(text, values)
      tried += 1
      return Promise.reject(Object.assign(new Error('out of reach'), { code: 'ECONNRESET' }))
    },
  } as unknown as pg.Pool
  const held = await holdSingleton(own, { name, host: 'here', pid: 17, log, onLost: vi.fn(), beatMs: 5, staleMs: 400 })
  onTestFinished(() => held.stop())
  for (const series of [1, 2]) {
    broken = true
    tried = 0
    await until('several beats fail', () => tried > 3)
    expect(lines.map((line) => JSON.parse(line))).toMatchObject(
      Array.from({ length: series }, () => ({
        level: 'warn',
        event: 'singleton.beat_failed',
        lease: name,
        err: { code: 'ECONNRESET' },
      })),
    )
    broken = false
    const { beat_at } = await rowOf(name)
    await until('it beats again', async () => (await rowOf(name)).beat_at > beat_at)
  }
})
