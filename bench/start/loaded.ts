import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { sum } from '../support/figures.js'
import { programs } from '../support/programs.js'
import type { Section } from '../support/report.js'
import { baseline, type Contender } from './contenders.js'
import { startProgram } from './process.js'
import type { Script } from './scripts.js'

const shown = 4

/** What V8 was given to read until the process was ready, Node's own modules left out: the same on any machine. */
export async function loadedSection(contenders: readonly Contender[], folder: string): Promise<Section> {
  const rows: string[][] = []
  let most = 0
  for (const [index, { name, program, prepare }] of contenders.entries()) {
    if (prepare !== undefined) continue
    const file = join(folder, `scripts-${index}.json`)
    const args = ['--import', pathToFileURL(`${programs}/bench/start/scripts.js`).href, ...program.args]
    const running = await startProgram({ args, env: { ...program.env, BENCH_SCRIPTS: file } })
    await running.stop()
    const scripts = (JSON.parse(await readFile(file, 'utf8')) as Script[]).filter(isOfFile)
    if (name !== baseline) most = Math.max(most, scripts.length)
    rows.push([name, String(scripts.length), kib(sum(scripts.map(([, length]) => length))), largestOf(scripts)])
  }
  return {
    title: 'What is loaded until a process is ready',
    head: ['process', 'modules', 'code, KiB', 'largest packages: modules, KiB'],
    rows,
    aims: [],
    gates: [{ what: 'modules that a process of any role loads, in thousands', ratio: most / 1000, most: 1.5 }],
  }
}

function isOfFile([url]: Script): boolean {
  return url.startsWith('file:') || url.startsWith('/')
}

function largestOf(scripts: readonly Script[]): string {
  const byPackage = groupBy(scripts)
  const sizes = [...byPackage].map(([name, of]) => ({
    name,
    modules: of.length,
    size: sum(of.map(([, length]) => length)),
  }))
  const largest = sizes.sort((a, b) => b.size - a.size).slice(0, shown)
  return largest.map(({ name, modules, size }) => `${name}: ${modules}, ${kib(size)}`).join('; ')
}

function groupBy(scripts: readonly Script[]): Map<string, Script[]> {
  const groups = new Map<string, Script[]>()
  for (const script of scripts) {
    const name = packageOf(script[0])
    groups.set(name, [...(groups.get(name) ?? []), script])
  }
  return groups
}

/** The last one, as packages lie within packages; the benchmark's own programs lie below node_modules, too. */
function packageOf(url: string): string {
  return [...url.matchAll(/node_modules\/((?:@[^/]+\/)?[^/.][^/]*)/g)].at(-1)?.[1] ?? 'the service'
}

function kib(characters: number): string {
  return (characters / 1024).toFixed(0)
}
