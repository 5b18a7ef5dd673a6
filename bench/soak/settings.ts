import { parseArgs } from 'node:util'
import type { Mode } from '../../test/faults/kit/plan.js'

export const help = `npm run soak -- [--hours H | --minutes M] [--rate R] [--seed N] [--one] [--note TEXT]

Runs the service under a steady load of R orders per second (default 3, over 20 tenants) for H hours or M minutes (default
8 minutes), with a fault now and then, and watches its memory, backlog, handles and lateness. At the end everything has to
settle, and every promise is checked. --one: one process with the PostgreSQL that it brings along, instead of two that
share PostgreSQL and Redis. The sandboxes forget nothing: the soak itself
needs about 40 MiB for each thousand orders. --note goes into the report, bench/report-soak.md. Exit code 1 when anything does not hold.
`

export interface Settings {
  lastsMs: number
  /** Orders per second, over all tenants. */
  rate: number
  seed: number
  mode: Mode
  note: string
  /** As it was called, to call it again. */
  command: string
}

/** Answers what is wrong with the arguments as a string; `help`: only that is wanted. */
export function readSettings(args: readonly string[]): Settings | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      hours: { type: 'string' },
      minutes: { type: 'string' },
      rate: { type: 'string', default: '3' },
      seed: { type: 'string' },
      one: { type: 'boolean', default: false },
      note: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return help
  const minutes = values.hours === undefined ? Number(values.minutes ?? 8) : Number(values.hours) * 60
  const rate = Number(values.rate)
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000_000))
  if (!(minutes > 0)) return '--hours or --minutes: expected a number above 0\n'
  if (!(rate > 0)) return '--rate: expected a number above 0\n'
  if (!Number.isInteger(seed)) return '--seed: expected an integer\n'
  const span = values.hours === undefined ? `--minutes ${minutes}` : `--hours ${values.hours}`
  return {
    lastsMs: minutes * 60_000,
    rate,
    seed,
    mode: values.one ? 'one process' : 'redis',
    note: values.note,
    command: `npm run soak -- ${span} --rate ${rate} --seed ${seed}${values.one ? ' --one' : ''}`,
  }
}
