import { median, spread } from '../support/figures.js'
import type { Section } from '../support/report.js'
import type { ColdStarts } from './cold.js'
import { baseline, type Contender, keyOf } from './contenders.js'
import { kibOf } from './loaded.js'
import type { Use } from './memory.js'
import type { Script } from './scripts.js'
import type { Settings } from './settings.js'

export interface StartFigures {
  cold: ReadonlyMap<string, ColdStarts>
  rest: ReadonlyMap<string, readonly Use[]>
  loaded: ReadonlyMap<string, readonly Script[]>
}

/** Another build beside this one: each process of the one was started right after the same of the other, in each round. */
export function againstSection(
  contenders: readonly Contender[],
  { cold, rest, loaded }: StartFigures,
  commit: string,
  { rounds, restRounds }: Settings,
): Section {
  const names = contenders.filter(({ name, isOther }) => !isOther && name !== baseline).map(({ name }) => name)
  const rows = names.map((name) => {
    const other = keyOf({ name, isOther: true })
    const start = (key: string) => cold.get(key) ?? { ready: [], cpu: [] }
    const memory = (key: string) => (rest.get(key) ?? []).map(({ rssMb }) => rssMb)
    const code = (key: string) => {
      const scripts = loaded.get(key)
      return scripts === undefined ? '–' : `${scripts.length}, ${kibOf(scripts)}`
    }
    return [
      name,
      ...beforeAfter(start(other).ready, start(name).ready),
      spread(start(other).cpu, 0),
      spread(start(name).cpu, 0),
      ...beforeAfter(memory(other), memory(name)),
      code(other),
      code(name),
    ]
  })
  return {
    title: `Before and after: ${commit} beside this build`,
    head: [
      'started',
      'to ready, ms, before',
      'after',
      'after to before',
      'CPU to ready, ms, before',
      'after',
      'resident at rest, MiB, before',
      'after',
      'after to before',
      'modules, KiB of code, before',
      'after',
    ],
    rows,
    aims: [],
    notes: [
      `Of the same runs: the same process of each build right after the other, ${rounds} rounds of starts and ${restRounds} of rest; ratios by round. Both builds are at rest at once. ${commandOf(commit)}`,
    ],
  }
}

function beforeAfter(before: readonly number[], after: readonly number[]): string[] {
  if (before.length === 0) return ['–', '–', '–']
  const ratios = after.map((value, round) => value / (before[round] ?? Number.NaN))
  return [spread(before, 0), spread(after, 0), Number.isFinite(median(ratios)) ? spread(ratios, 2) : '–']
}

/** Where the other build lies is of no matter. */
function commandOf(commit: string): string {
  const build = `mkdir ../before && git archive ${commit} | tar x -C ../before && (cd ../before && npm ci && npm run build)`
  return `\`${build}\`, then \`BENCH_AGAINST=../before/dist BENCH_AGAINST_COMMIT=${commit} npm run bench -- start\`.`
}
