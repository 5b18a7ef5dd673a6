import { check, type Measured, measure } from './measure.js'
import { keepResults, writeWholeReport } from './results.js'
import type { Form, Suite } from './suite.js'
import { suites } from './suites.js'
import { compilePrograms } from './support/programs.js'
import { type Stores, withStores } from './support/stores.js'

const usage = `npm run bench [-- SUITE…] [quick|gate]

Measures, prints, and writes bench/report.md anew from what each suite measured last.
  quick   a look in two minutes: fewer rounds, smaller sizes, one PostgreSQL and Redis for all; nothing is written
  gate    the quick form; exit code 1 when a ratio has left its wide bounds
suites: ${Object.keys(suites).join(', ')}
environment:
  BENCH_AGAINST, BENCH_AGAINST_COMMIT   the dist of another build and its commit, for start: both side by side
  BENCH_NODE_ARGS                       options of node for the service that is measured: intake, sending, limits`

async function main(args: readonly string[]): Promise<number> {
  const isGate = args.includes('gate')
  const form: Form = isGate || args.includes('quick') ? 'quick' : 'full'
  const asked = args.filter((arg) => arg !== 'quick' && arg !== 'gate')
  const unknown = asked.filter((name) => !(name in suites))
  if (unknown.length > 0) {
    console.error(`there is no suite ${unknown.join(', ')}\n${usage}`)
    return 2
  }
  await compilePrograms()
  if (form === 'full') {
    for (const [name, suite] of chosen(asked)) {
      await keepResults(await withStores((stores) => measure(name, suite, form, stores)))
    }
    await writeWholeReport()
    return 0
  }
  const startedAt = performance.now()
  const measured = await withStores((stores) => lookAtAll(chosen(asked), stores))
  console.log(`\nin all: ${Math.round((performance.now() - startedAt) / 1000)} s`)
  return isGate ? check(measured) : 0
}

/** Over one PostgreSQL and one Redis: to start them for each suite is a tenth of the time, and no ratio is that narrow. */
async function lookAtAll(all: ReadonlyArray<[string, Suite]>, stores: Stores): Promise<Measured[]> {
  const measured: Measured[] = []
  for (const [name, suite] of all) measured.push(await measure(name, suite, 'quick', stores))
  return measured
}

function chosen(asked: readonly string[]): Array<[string, Suite]> {
  return Object.entries(suites).filter(([name]) => asked.length === 0 || asked.includes(name))
}

// Each child is killed when this process ends.
process.setMaxListeners(100)
process.exit(await main(process.argv.slice(2)))
