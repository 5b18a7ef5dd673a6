import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { programs } from '../support/programs.js'
import type { Stores } from '../support/stores.js'
import { type Program, startProgram } from './process.js'
import type { Settings } from './settings.js'

/** What is started in turns. */
export interface Contender {
  name: string
  program: Program
  /** Brings things to where a start finds them, before each. */
  prepare?: () => Promise<void>
}

export const baseline = 'Express 5 and pg'
export const whole = 'all roles'

/** BENCH_AGAINST: a folder with another build of the service (its `main.js`), which is measured beside this one. */
export async function contendersOf(stores: Stores, folder: string, { without }: Settings): Promise<Contender[]> {
  const schema = `s_${randomBytes(4).toString('hex')}`
  const empty = `${schema}_empty`
  const all: Contender[] = [
    {
      name: baseline,
      program: { args: [`${programs}/bench/start/express.js`], env: { DATABASE_URL: stores.databaseUrl } },
    },
  ]
  const { BENCH_AGAINST } = process.env
  const builds = {
    '': join(programs, 'src'),
    ...(BENCH_AGAINST !== undefined && { ', the other build': BENCH_AGAINST }),
  }
  for (const [suffix, build] of Object.entries(builds)) {
    const program = (env: Record<string, string>): Program => ({
      args: [join(build, 'main.js')],
      env: { ...settings, ...env },
    })
    const dataDir = join(folder, suffix === '' ? 'data' : 'other-data')
    const named = (name: string, env: Record<string, string>, prepare?: () => Promise<void>): Contender => {
      return { name: name + suffix, program: program(env), ...(prepare && { prepare }) }
    }
    const own = `${schema}${suffix === '' ? '' : '_other'}`
    const remote = { DATABASE_URL: `${stores.databaseUrl}?schema=${own}`, REDIS_URL: stores.redisUrl }
    // Each build brings its schema to where its later starts find it.
    await (await startProgram(program(remote))).stop()
    all.push(
      named(whole, remote),
      named('receiver', { ...remote, BGC_ROLES: 'receiver' }),
      named('poller', { ...remote, BGC_ROLES: 'poller' }),
      named('sync', { ...remote, BGC_ROLES: 'sync' }),
      named('all roles, empty database', { ...remote, DATABASE_URL: `${stores.databaseUrl}?schema=${empty}` }, () =>
        dropSchema(stores.databaseUrl, empty),
      ),
      named('embedded, from nothing', { BGC_DATA_DIR: dataDir }, () => rm(dataDir, { recursive: true, force: true })),
      named('embedded, data folder there', { BGC_DATA_DIR: dataDir }),
    )
  }
  return all.filter(({ name }) => !without.some((each) => name.startsWith(each)))
}

export const settings = {
  BGC_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
  FEISHU_APP_ID: 'cli_0123456789abcdef',
  FEISHU_APP_SECRET: 'none',
  FEISHU_ENCRYPT_KEY: 'none',
  FEISHU_VERIFICATION_TOKEN: 'none',
  FEISHU_BASE_URL: 'http://127.0.0.1:9',
  VENDOR_BASE_URL: 'http://127.0.0.1:9',
  VENDOR_API_KEY: 'none',
}

async function dropSchema(databaseUrl: string, schema: string): Promise<void> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  await client.query(`DROP SCHEMA IF EXISTS ${pg.escapeIdentifier(schema)} CASCADE`)
  await client.end()
}
