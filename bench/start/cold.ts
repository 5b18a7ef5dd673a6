import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { exitCodes } from '../../src/cli/exit-codes.js'
import { median, spread } from '../support/figures.js'
import type { Section } from '../support/report.js'
import { baseline, type Contender, whole } from './contenders.js'
import { startProgram } from './process.js'
import type { Settings } from './settings.js'

const nothing = '`node -e 0`'

interface Measured {
  ready: number[]
  cpu: number[]
}

/** All of them once, then all of them again: what the machine does meanwhile happens to each. */
export async function coldStarts(contenders: readonly Contender[], { rounds }: Settings): Promise<Section> {
  const measured = new Map<string, Measured>([[nothing, { ready: [], cpu: [] }]])
  for (const { name } of contenders) measured.set(name, { ready: [], cpu: [] })
  for (let round = 0; round < rounds; round += 1) {
    measured.get(nothing)?.ready.push(await timeOf(['-e', '0']))
    for (const { name, program, prepare } of contenders) {
      await prepare?.()
      const running = await startProgram(program)
      measured.get(name)?.ready.push(running.readyMs)
      measured.get(name)?.cpu.push(cpuMsOf(running.child.pid ?? 0))
      await running.stop()
    }
  }
  return section(measured, rounds)
}

/** To the end of a program that ends by itself. */
export async function timeOf(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> {
  const { PATH = '', HOME = '' } = process.env
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, { env: { PATH, HOME, NODE_ENV: 'production', ...env }, stdio: 'ignore' })
  const [code] = await once(child, 'exit')
  if (code === exitCodes.usage) throw new Error(`${args.join(' ')}: not a command`)
  return performance.now() - startedAt
}

/** As Linux counts it, in steps of 10 ms: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

function section(measured: ReadonlyMap<string, Measured>, rounds: number): Section {
  const base = median(measured.get(baseline)?.ready ?? [])
  const rows = [...measured].map(([name, { ready, cpu }]) => [
    name,
    spread(ready, 0),
    cpu.length === 0 ? '' : spread(cpu, 0),
    (median(ready) / base).toFixed(2),
  ])
  const ratioOf = (name: string) => median(measured.get(name)?.ready ?? []) / base
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
