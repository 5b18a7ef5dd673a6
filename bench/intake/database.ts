import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import pg from 'pg'
import { migrate } from '../../src/platform/database/migrate.js'
import { median, quantile, sum } from '../support/figures.js'

/** A schema of its own, and what PostgreSQL says about its work. */
export interface Ground {
  url: string
  events(): Promise<number>
  /** What an answer of 200 rests on, as the server has it. */
  durability(): Promise<string>
  indexes(): Promise<number>
  work(): Promise<Work>
  /** Of single inserts, one after the other, in ms. */
  oneRowCommits(count: number): Promise<{ p50: number; p99: number }>
  stop(): Promise<void>
}

export interface Work {
  walBytes: number
  walSyncs: number
  /** Of all processes of the server; not a number where the system has no /proc. */
  cpuMs: number
}

export async function layGround(databaseUrl: string): Promise<Ground> {
  const schema = `b_${randomBytes(4).toString('hex')}`
  const url = `${databaseUrl}?schema=${schema}`
  await migrate(url)
  const client = new pg.Client({ connectionString: databaseUrl, options: `-c search_path=${schema}` })
  client.on('error', () => 'the next question fails')
  await client.connect()
  const value = async <T>(text: string) => (await client.query<{ value: T }>(text)).rows[0]?.value
  const number = async (text: string) => Number(await value(text))
  const leader = await parentOf(await number('SELECT pg_backend_pid() AS value'))
  return {
    url,
    events: () => number('SELECT count(*) AS value FROM events'),
    durability: async () => {
      const names = ['fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method']
      const asked = names.map((name) => `current_setting('${name}')`).join(', ')
      const settings = await value<string[]>(`SELECT ARRAY[${asked}] AS value`)
      return names.map((name, index) => `\`${name}\` ${settings?.[index]}`).join(', ')
    },
    indexes: () =>
      number(`SELECT count(*) AS value FROM pg_indexes WHERE schemaname = '${schema}' AND tablename = 'events'`),
    work: async () => ({
      walBytes: await number('SELECT wal_bytes AS value FROM pg_stat_wal'),
      walSyncs: await number(`SELECT sum(fsyncs) AS value FROM pg_stat_io WHERE object = 'wal'`),
      cpuMs: await cpuOf(leader),
    }),
    oneRowCommits: async (count) => {
      await client.query('CREATE TABLE IF NOT EXISTS one_row (id bigserial PRIMARY KEY, at timestamptz DEFAULT now())')
      const times: number[] = []
      for (let done = 0; done < count; done += 1) {
        const startedAt = performance.now()
        await client.query('INSERT INTO one_row DEFAULT VALUES')
        times.push(performance.now() - startedAt)
      }
      return { p50: median(times), p99: quantile(times, 0.99) }
    },
    stop: () => client.end(),
  }
}

/** Fields of proc(5) after the name, which stands in brackets: the first is the third of the manual's. */
async function statOf(pid: number | string): Promise<string[]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

async function parentOf(pid: number): Promise<number> {
  return Number((await statOf(pid))[1])
}

/** A process with its children, those that have ended too. */
async function cpuOf(leader: number): Promise<number> {
  if (Number.isNaN(leader)) return Number.NaN
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const stats = await Promise.all(pids.map(async (pid) => ({ pid: Number(pid), stat: await statOf(pid) })))
  const ticks = stats.map(({ pid, stat }) => {
    if (pid === leader) return sum(stat.slice(11, 15).map(Number))
    return Number(stat[1]) === leader ? sum(stat.slice(11, 13).map(Number)) : 0
  })
  return sum(ticks) * 10
}
