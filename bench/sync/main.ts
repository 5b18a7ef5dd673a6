import { busy, describeMachine } from '../support/machine.js'
import { compilePrograms } from '../support/programs.js'
import { type Section, textOf, writeReport } from '../support/report.js'
import { type Stores, startStores } from '../support/stores.js'
import { limiters } from './limiters.js'
import { manyTenants } from './many-tenants.js'
import { noisyNeighbour } from './noisy-neighbour.js'
import { oneTenant } from './one-tenant.js'
import { full, quick, type Settings } from './settings.js'

type Part = (stores: Stores, settings: Settings) => Promise<Section | Section[]>

/** By their letters in the report; `b` measures (e) on the way. */
const parts: Record<string, Part> = { a: oneTenant, b: manyTenants, c: noisyNeighbour, d: limiters }

/** `sync [quick] [letters]`: all parts unless letters name some. The report is written by all of them in full. */
export async function benchSync(args: readonly string[]): Promise<void> {
  const settings = args.includes('quick') ? quick : full
  const letters = args.find((arg) => arg !== 'quick') ?? Object.keys(parts).join('')
  const loadBefore = busy()
  const startedAt = performance.now()
  await compilePrograms()
  const stores = await startStores()
  const sections: Section[] = []
  for (const letter of letters) {
    const part = parts[letter]
    if (part === undefined) throw new Error(`there is no part ${letter}`)
    for (const section of [await part(stores, settings)].flat()) {
      sections.push(section)
      console.log(`\n${textOf(section)}\n\n(load ${busy()})`)
    }
  }
  const postgres = await versionOf(stores)
  await stores.stop()
  if (!settings.quick && letters === Object.keys(parts).join('')) await write(settings, postgres, loadBefore, sections)
  console.log(`\n${Math.round((performance.now() - startedAt) / 1000)} s`)
}

function write(settings: Settings, postgres: string, loadBefore: string, sections: readonly Section[]): Promise<void> {
  const introduction = [
    '# To Feishu: at the limit, side by side',
    `Written by \`npm run bench -- sync\` on ${new Date().toISOString().slice(0, 10)}; ${settings.rounds} round(s), each figure the median with the least and the most.`,
    `${describeMachine(postgres)}\n- load before ${loadBefore}, after ${busy()}; the benchmark's own processes are in the latter`,
    `Windows: ${settings.short.limit} in ${settings.short.windowMs / 1000} s and ${settings.long.limit} in ${settings.long.windowMs / 1000} s.`,
  ].join('\n\n')
  return writeReport('sync', introduction, sections)
}

async function versionOf(stores: Stores): Promise<string> {
  const { default: pg } = await import('pg')
  const client = new pg.Client(stores.databaseUrl)
  await client.connect()
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version')
  await client.end()
  return rows[0]?.server_version ?? 'unknown'
}
