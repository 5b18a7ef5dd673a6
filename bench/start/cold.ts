import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpuMsOf } from '../support/cpu.js'
import { median, spread } from '../support/figures.js'
import type { Section } from '../support/report.js'
import { baseline, type Contender, keyOf, whole } from './contenders.js'
import { startProgram } from './process.js'
import type { Settings } from './settings.js'

const nothing = '`node -e 0`'

export interface ColdStarts {
  ready: number[]
  cpu: number[]
}

/** All of them once, then all of them again: what the machine does meanwhile happens to each. */
export async function coldStarts(contenders: readonly Contender[], { rounds }: Settings) {
  const measured = new Map<string, ColdStarts>([[nothing, { ready: [], cpu: [] }]])
  for (const each of contenders) measured.set(keyOf(each), { ready: [], cpu: [] })
  for (let round = 0; round < rounds; round += 1) {
    measured.get(nothing)?.ready.push(await timeOf(['-e', '0']))
    for (const contender of contenders) {
      const { program, prepare } = contender
      await prepare?.()
      const running = await startProgram(program)
      measured.get(keyOf(contender))?.ready.push(running.readyMs)
      measured.get(keyOf(contender))?.cpu.push(await cpuMsOf(running.child.pid ?? 0))
      await running.stop()
    }
  }
  return measured
}

/** To the end of a program that ends by itself; throws when it ends with another code, as what failed is not what was to be timed. */
export async function timeOf(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  expected = 0,
): Promise<number> {
  const { PATH = '', HOME = '' } = process.env
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, { env: { PATH, HOME, NODE_ENV: 'production', ...env }, stdio: 'ignore' })
  const [code, signal] = await once(child, 'exit')
  const took = performance.now() - startedAt
  if (code !== expected) throw new Error(`${args.join(' ')} ended with ${code ?? signal}, expected ${expected}`)
  return took
}

export function coldSection(
  contenders: readonly Contender[],
  measured: ReadonlyMap<string, ColdStarts>,
  { rounds }: Settings,
): Section {
  const of = (name: string) => measured.get(name) ?? { ready: [], cpu: [] }
  const base = median(of(baseline).ready)
  const names = contenders.filter(({ isOther }) => !isOther).map(({ name }) => name)
  const rows = [nothing, ...names].map((name) => {
    const { ready, cpu } = of(name)
    return [name, spread(ready, 0), cpu.length === 0 ? '' : spread(cpu, 0), (median(ready) / base).toFixed(2)]
  })
  const ratioOf = (name: string) => median(of(name).ready) / base
  return {
    title: 'Cold start',
    head: ['started', 'to ready, ms', 'CPU of the process, ms', 'ready, to the baseline'],
    rows,
    aims: [],
    notes: [
      `${rounds} rounds in turns; \`${baseline}\` is the baseline. \`empty database\` applies all migrations, \`from nothing\` also makes a PostgreSQL.`,
    ],
    gates: [
      { what: 'cold start of all roles, to the Express baseline', ratio: ratioOf(whole), most: 9 },
      { what: 'cold start of a receiver, to the Express baseline', ratio: ratioOf('receiver'), most: 7 },
    ],
  }
}
