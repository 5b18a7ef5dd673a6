import { randomBytes } from 'node:crypto'
import { migrate } from '../../src/platform/database/migrate.js'
import { median, spread } from '../support/figures.js'
import { programs } from '../support/programs.js'
import type { Section } from '../support/report.js'
import type { Stores } from '../support/stores.js'
import { timeOf } from './cold.js'
import { settings as environment } from './contenders.js'
import type { Settings } from './settings.js'

const nothing = '`node -e 0`'

/** The command line, from `spawn` to its end. */
export async function commandSection(stores: Stores, { rounds, commands }: Settings): Promise<Section> {
  const url = `${stores.databaseUrl}?schema=c_${randomBytes(4).toString('hex')}`
  await migrate(url)
  const env = { ...environment, DATABASE_URL: url, REDIS_URL: stores.redisUrl }
  const times = new Map<string, number[]>([[nothing, []]])
  for (let round = 0; round < rounds; round += 1) {
    times.get(nothing)?.push(await timeOf(['-e', '0']))
    for (const { words, exitCode } of commands) {
      const took = await timeOf([`${programs}/src/cli.js`, ...words.split(' ')], env, exitCode)
      times.set(words, [...(times.get(words) ?? []), took])
    }
  }
  const base = median(times.get(nothing) ?? [])
  return {
    title: 'The command line',
    head: ['command', 'ms', 'to `node -e 0`'],
    rows: [...times].map(([name, all]) => [
      name === nothing ? name : `\`bgc ${name}\``,
      spread(all, 0),
      (median(all) / base).toFixed(2),
    ]),
    aims: [],
    gates: [{ what: 'bgc --help, to node -e 0', ratio: median(times.get('--help') ?? []) / base, most: 10 }],
  }
}
