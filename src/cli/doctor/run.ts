import { resolve } from 'node:path'
import { type Config, ConfigError, readConfig } from '../../config.js'
import { createSealer } from '../../platform/crypto/sealer.js'
import { openDatabase } from '../../platform/database/database.js'
import { hasEmbeddedData, openEmbeddedPostgres } from '../../platform/embedded/attach.js'
import { Lifetime } from '../../platform/lifetime.js'
import { createLogger } from '../../platform/logger.js'
import { loadDotEnv } from '../dot-env.js'
import { explain } from '../explain.js'
import type { Check, Found, Ground } from './check.js'
import { skipped, wrong } from './check.js'
import { clockCheck } from './clock.js'
import { databaseCheck, keysCheck, migrationsCheck } from './database.js'
import { eventUrlCheck } from './event-url.js'
import { scopesCheck, tokenCheck } from './feishu.js'
import { redisCheck } from './redis.js'
import { judgeSettings } from './settings.js'
import { vendorCheck } from './vendor.js'
import { workCheck } from './work.js'

export interface Examined {
  check: string
  found: Found[]
}

/** Needs nothing but the database; the others read tables that a migration may still have to make. */
const first: readonly Check[] = [databaseCheck, migrationsCheck]
const withSchema: readonly Check[] = [keysCheck, clockCheck, tokenCheck, scopesCheck, workCheck]
const without: readonly Check[] = [redisCheck, eventUrlCheck, vendorCheck]

const longestMs = 30_000

/** Examines everything that the service depends on and tells each check as it ends. Changes nothing. */
export async function examine(eventUrl: string | undefined, tell: (one: Examined) => void): Promise<Examined[]> {
  const all: Examined[] = []
  const note = (check: string, found: Found[]) => {
    all.push({ check, found })
    tell({ check, found })
  }
  const config = readSettings(note)
  if (config === undefined) return all
  const lifetime = new Lifetime()
  try {
    const ground = await openGround(config, eventUrl, lifetime, note)
    const runAll = async (checks: readonly Check[]) => {
      for (const check of checks) note(check.name, await runOne(check, ground))
    }
    await runAll(first)
    const sound = all.every(({ check, found }) => !blocking.has(check) || found.every(({ kind }) => kind !== 'wrong'))
    if (sound) await runAll(withSchema)
    else for (const { name } of withSchema) note(name, skipped('the database comes first'))
    await runAll(without)
    return all
  } finally {
    await lifetime.stop()
  }
}

const blocking = new Set([databaseCheck.name, migrationsCheck.name])

function readSettings(note: (check: string, found: Found[]) => void): Config | undefined {
  try {
    loadDotEnv()
    const config = readConfig()
    note('configuration', judgeSettings(config))
    return config
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure
    note(
      'configuration',
      failure.complaints.flatMap((complaint) => wrong(complaint, 'docs/environment.md lists every name')),
    )
    return undefined
  }
}

async function openGround(
  config: Config,
  eventUrl: string | undefined,
  lifetime: Lifetime,
  note: (check: string, found: Found[]) => void,
): Promise<Ground> {
  const log = createLogger('silent')
  const url = config.databaseUrl ?? (await openEmbedded(config, lifetime, note))
  const database = lifetime.add(openDatabase({ url, log, connections: 4 }))
  return { config, database, sealer: createSealer(config.encryptionKeys), ...(eventUrl !== undefined && { eventUrl }) }
}

/** Where there is none, or it does not start, an address that refuses lets the checks say so. */
async function openEmbedded({ dataDir }: Config, lifetime: Lifetime, note: (check: string, found: Found[]) => void) {
  const folder = resolve(dataDir)
  try {
    if (await hasEmbeddedData(folder)) return (await lifetime.start(openEmbeddedPostgres({ dataDir: folder }))).url
    note('data folder', wrong(`there is no database in ${folder}`, 'start the service once, or check BGC_DATA_DIR'))
  } catch (failure) {
    note('data folder', wrong(explain(failure), 'mend what the line says, or check BGC_DATA_DIR'))
  }
  return 'postgresql://nobody@127.0.0.1:1/none'
}

async function runOne(check: Check, ground: Ground): Promise<Found[]> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Found[]>((tell) => {
    const found = wrong(`no answer within ${longestMs / 1000} s`, 'check the network between')
    timer = setTimeout(tell, longestMs, found)
  })
  try {
    return await Promise.race([check.run(ground), late])
  } catch (failure) {
    return wrong(explain(failure), check === databaseCheck ? 'check DATABASE_URL' : 'mend what the line says')
  } finally {
    clearTimeout(timer)
  }
}
