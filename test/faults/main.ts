// `npm run faults`: the long form. Seeds are lived through until the time is over or so many runs are done.
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { compilePrograms } from '../support/programs.js'
import { type FaultName, faultsOf } from './kit/catalogue.js'
import { Disk } from './kit/disk.js'
import { inWords, storyInWords } from './kit/in-words.js'
import { long, modes, planOf, type RunPlan } from './kit/plan.js'
import { reportOf } from './kit/report.js'
import { type Outcome, run } from './kit/run.js'
import { shrink } from './kit/shrink.js'

const help = `npm run faults -- [--seed N] [--runs N] [--minutes M] [--mode 'redis' | 'one process'] [--faults 'a,b' [--lasts MS]]

Lives through random faults in every part, and checks every promise after each run. Ends after --runs (default: no end)
or --minutes (default: 10). Before them, unless a seed or faults are given, a process dies before and after each step that
a check takes. --seed begins with this seed, --faults deals these faults in this order, each for --lasts ms. The report goes to
test/faults/report.md. Exit code 1 when a promise was broken.
`
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string', default: 'Infinity' },
    minutes: { type: 'string', default: '10' },
    mode: { type: 'string' },
    faults: { type: 'string' },
    lasts: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const settleWithinMs = 180_000
const shrinkWithinMs = 900_000
const withoutDisk = 'skipped: disk full (only root may mount a disk that can be full)'
const root = fileURLToPath(new URL('../..', import.meta.url))
const reportFile = fileURLToPath(new URL('report.md', import.meta.url))

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(help)
    return 0
  }
  await compilePrograms()
  const isWhole = values.seed === undefined && values.faults === undefined
  if (isWhole && !livesThroughEveryStep()) return 1
  const disk = await Disk.canMount()
  if (!disk) process.stdout.write(`${withoutDisk}\n`)
  const first = Number(values.seed ?? Math.floor(Math.random() * 1_000_000_000))
  const until = performance.now() + Number(values.minutes) * 60_000
  const outcomes: Outcome[] = []
  let story = ''
  for (let index = 0; index < Number(values.runs) && performance.now() < until && story === ''; index += 1) {
    const outcome = await run(planFor(first + index, index, disk), settleWithinMs)
    outcomes.push(outcome)
    process.stdout.write(`${inWords(outcome)}\n`)
    if (outcome.broken.length > 0) {
      process.stdout.write('looking for a shorter story …\n')
      story = storyInWords(outcome, await shrink(outcome, settleWithinMs, shrinkWithinMs))
    }
  }
  await writeFile(reportFile, reportOf(outcomes, story, disk ? [] : [withoutDisk]))
  process.stdout.write(`${story}\nreport: ${reportFile}\n`)
  return story === '' ? 0 : 1
}

/** What the short form deals out by halves. */
function livesThroughEveryStep(): boolean {
  const args = ['vitest', 'run', 'test/faults/suite-steps.test.ts']
  const env = { ...process.env, FAULTS_FORM: 'long' }
  return spawnSync('npx', args, { cwd: root, env, stdio: 'inherit' }).status === 0
}

function planFor(seed: number, index: number, disk: boolean): RunPlan {
  const mode = modes.find((each) => each === values.mode) ?? modes[index % modes.length] ?? 'redis'
  if (values.faults !== undefined) {
    const only = values.faults.split(',').map((name) => {
      const known = faultsOf(mode).find((each) => each === name)
      if (known === undefined) throw new Error(`no fault "${name}" in the mode ${mode}: ${faultsOf(mode).join(', ')}`)
      return known
    })
    const lasts = values.lasts === undefined ? {} : { leastMs: Number(values.lasts), mostMs: Number(values.lasts) }
    return planOf(seed, mode, { ...long, ...lasts, faults: only.length }, { only })
  }
  const leaveOut: FaultName[] = disk ? [] : ['disk full']
  return planOf(seed, mode, long, { leaveOut })
}

process.exit(await main())
