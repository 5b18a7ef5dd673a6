import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import pg from 'pg'
import { programs } from '../support/programs.js'
import { serviceEnv } from '../support/service-env.js'
import type { Stores } from '../support/stores.js'
import { type Program, startProgram } from './process.js'
import type { Settings } from './settings.js'

/** What is started in turns. */
export interface Contender {
  name: string
  /** Another build of what has the same name. */
  isOther?: true
  program: Program
  /** Brings things to where a start finds them, before each. */
  prepare?: () => Promise<void>
}

export const baseline = 'Express 5 and pg'
export const whole = 'all roles'

/** Another build of the service, which is measured beside this one: the folder of its `main.js`, and what it was built from. */
export function otherBuild(): { folder: string; commit: string } | null {
  const { BENCH_AGAINST, BENCH_AGAINST_COMMIT } = process.env
  if (BENCH_AGAINST === undefined) return null
  if (BENCH_AGAINST_COMMIT === undefined) throw new Error('BENCH_AGAINST_COMMIT: expected the commit of BENCH_AGAINST')
  return { folder: resolve(BENCH_AGAINST), commit: BENCH_AGAINST_COMMIT }
}

/** What figures are kept under. */
export function keyOf({ name, isOther }: Pick<Contender, 'name' | 'isOther'>): string {
  return isOther ? `${name}, the other build` : name
}

export async function contendersOf(stores: Stores, folder: string, { without }: Settings): Promise<Contender[]> {
  const own = await contendersOfBuild(stores, folder, join(programs, 'src'))
  const other = otherBuild()
  const others = other === null ? [] : await contendersOfBuild(stores, folder, other.folder)
  const pairs = own.flatMap((each, index) => {
    const its = others[index]
    return its === undefined ? [each] : [each, { ...its, isOther: true as const }]
  })
  const base: Contender = {
    name: baseline,
    program: { args: [`${programs}/bench/start/express.js`], env: { DATABASE_URL: stores.databaseUrl } },
  }
  return [base, ...pairs].filter(({ name }) => !without.includes(name))
}

async function contendersOfBuild(stores: Stores, folder: string, build: string): Promise<Contender[]> {
  const schema = `s_${randomBytes(4).toString('hex')}`
  const empty = `${schema}_empty`
  const dataDir = join(folder, schema)
  const program = (env: Record<string, string>): Program => ({
    args: [join(build, 'main.js')],
    env: { ...settings, ...env },
  })
  const remote = { DATABASE_URL: `${stores.databaseUrl}?schema=${schema}`, REDIS_URL: stores.redisUrl }
  // Each build brings its schema to where its later starts find it.
  await (await startProgram(program(remote))).stop()
  return [
    { name: whole, program: program(remote) },
    ...['receiver', 'poller', 'sync'].map((role) => ({ name: role, program: program({ ...remote, BGC_ROLES: role }) })),
    {
      name: 'all roles, empty database',
      program: program({ ...remote, DATABASE_URL: `${stores.databaseUrl}?schema=${empty}` }),
      prepare: () => dropSchema(stores.databaseUrl, empty),
    },
    {
      name: 'embedded, from nothing',
      program: program({ BGC_DATA_DIR: dataDir }),
      prepare: () => rm(dataDir, { recursive: true, force: true }),
    },
    { name: 'embedded, data folder there', program: program({ BGC_DATA_DIR: dataDir }) },
  ]
}

export const settings = {
  BGC_ENCRYPTION_KEYS: serviceEnv.BGC_ENCRYPTION_KEYS,
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
