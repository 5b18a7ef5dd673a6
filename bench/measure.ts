import type { Form, Suite } from './suite.js'
import { busy, describeMachine } from './support/machine.js'
import { type Section, textOf } from './support/report.js'
import type { Stores } from './support/stores.js'

/** What a suite measured in one run, and where. */
export interface Measured {
  suite: string
  command: string
  /** The day, as in 2026-01-31. */
  on: string
  seconds: number
  machine: string
  load: { before: string; after: string }
  sections: Section[]
}

export async function measure(name: string, suite: Suite, form: Form, stores: Stores): Promise<Measured> {
  const before = busy()
  const started = performance.now()
  console.log(`\n# ${suite.title}\n`)
  const sections = await suite.run(form, stores)
  for (const section of sections) console.log(`\n${textOf(section)}`)
  const seconds = Math.round((performance.now() - started) / 1000)
  console.log(`\n${name}: ${seconds} s, load ${busy()}`)
  return {
    suite: name,
    command: `npm run bench -- ${name}${form === 'quick' ? ' quick' : ''}`,
    on: new Date().toISOString().slice(0, 10),
    seconds,
    machine: describeMachine(await stores.postgresVersion()),
    load: { before, after: busy() },
    sections,
  }
}

/** The exit code of the gate: 1 when a ratio is out of its bounds. */
export function check(measured: readonly Measured[]): number {
  const gates = measured.flatMap(({ suite, sections }) =>
    sections.flatMap((section) => (section.gates ?? []).map((gate) => ({ suite, ...gate }))),
  )
  const isIn = ({ ratio, least = 0, most = Number.POSITIVE_INFINITY }: (typeof gates)[number]) =>
    ratio >= least && ratio <= most
  console.log('\n# Gate\n')
  for (const gate of gates) {
    const bounds = [gate.least === undefined ? '' : `≥ ${gate.least}`, gate.most === undefined ? '' : `≤ ${gate.most}`]
    const wanted = bounds.filter((bound) => bound !== '').join(', ')
    console.log(`${isIn(gate) ? 'ok    ' : 'FAILED'} ${gate.suite}: ${gate.what}: ${gate.ratio.toFixed(2)} (${wanted})`)
  }
  return gates.every(isIn) ? 0 : 1
}
