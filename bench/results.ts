import { mkdir, readFile, writeFile } from 'node:fs/promises'
import type { Measured } from './measure.js'
import { suites } from './suites.js'
import { sum } from './support/figures.js'
import { textOf } from './support/report.js'

const folder = new URL('results/', import.meta.url)

/** Each suite's last full run is kept, so that one can be measured again without the others. */
export async function keepResults(measured: Measured): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(fileOf(measured.suite), `${JSON.stringify(measured, null, 2)}\n`)
}

/** `bench/report.md`, from what is kept. */
export async function writeWholeReport(): Promise<void> {
  const kept = await Promise.all(Object.keys(suites).map(readResults))
  const measured = kept.filter((each) => each !== null)
  const minutes = Math.round(sum(measured.map(({ seconds }) => seconds)) / 60)
  const parts = [introduction(minutes), ...measured.map(describe)]
  await writeFile(new URL('report.md', import.meta.url), `${parts.join('\n\n')}\n`)
}

const introduction = (minutes: number) => `# What was measured

Each figure is a median with the least and the most of its rounds, five or more; one without a spread was counted once: sizes,
plans, statements, which another run repeats. What is compared runs in turns within one run, on one machine, since machines
differ: the ratios are what carries over. \`npm run bench\` measures all of it again in some ${minutes} minutes,
\`npm run bench -- quick\` takes a look in two, \`npm run bench -- gate\` tells whether a ratio has left its wide bounds. PostgreSQL and Redis are the
benchmark's own. How long nothing grows is in [report-soak.md](report-soak.md), what follows for the size of machines in
[docs/capacity.md](../docs/capacity.md).`

function describe({ suite, command, on, seconds, machine, load, sections }: Measured): string {
  const { title = suite, about = '' } = suites[suite] ?? {}
  const facts = [
    `\`${command}\` on ${on}, ${seconds} s.`,
    `${machine}\n- load before ${load.before}, after ${load.after}; the suite before is in the first, this one in the second`,
  ]
  return [`# ${title}`, about, ...facts, ...sections.map(textOf)].join('\n\n')
}

async function readResults(suite: string): Promise<Measured | null> {
  const text = await readFile(fileOf(suite), 'utf8').catch(missing)
  // Written by `keepResults`.
  return text === null ? null : (JSON.parse(text) as Measured)
}

function missing(failure: NodeJS.ErrnoException): null {
  if (failure.code === 'ENOENT') return null
  throw failure
}

function fileOf(suite: string): URL {
  return new URL(`${suite}.json`, folder)
}
