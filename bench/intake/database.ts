import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { migrate } from '../../src/platform/database/migrate.js'
import { postgresCpuMs } from '../support/cpu.js'
import { median, quantile } from '../support/figures.js'

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
      cpuMs: await postgresCpuMs(client),
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
