import { check, type Measured, measure } from './measure.js'
import { keepResults, writeWholeReport } from './results.js'
import type { Form, Suite } from './suite.js'
import { suites } from './suites.js'
import { compilePrograms } from './support/programs.js'

const usage = `npm run bench [-- SUITE…] [quick|gate]

Measures, prints, and writes bench/report.md anew from what each suite measured last.
  quick   a look in two minutes: fewer rounds, smaller sizes; nothing is written
  gate    the quick form; exit code 1 when a ratio has left its wide bounds
suites: ${Object.keys(suites).join(', ')}`

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
  const measured: Measured[] = []
  for (const [name, suite] of chosen(asked)) {
    const one = await measure(name, suite, form)
    measured.push(one)
    if (form === 'full') await keepResults(one)
  }
  if (form === 'full') await writeWholeReport()
  return isGate ? check(measured) : 0
}

function chosen(asked: readonly string[]): Array<[string, Suite]> {
  return Object.entries(suites).filter(([name]) => asked.length === 0 || asked.includes(name))
}

process.exit(await main(process.argv.slice(2)))
