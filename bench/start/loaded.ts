import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { sum } from '../support/figures.js'
import { programs } from '../support/programs.js'
import type { Section } from '../support/report.js'
import { baseline, type Contender, keyOf } from './contenders.js'
import { startProgram } from './process.js'
import type { Script } from './scripts.js'

const shown = 4

/** What V8 was given to read until the process was ready, Node's own modules left out: the same on any machine. */
export async function loadedBy(contenders: readonly Contender[], folder: string) {
  const loaded = new Map<string, readonly Script[]>()
  for (const [index, each] of contenders.entries()) {
    const { program, prepare } = each
    if (prepare !== undefined) continue
    const file = join(folder, `scripts-${index}.json`)
    const args = ['--import', pathToFileURL(`${programs}/bench/start/scripts.js`).href, ...program.args]
    const running = await startProgram({ args, env: { ...program.env, BENCH_SCRIPTS: file } })
    await running.stop()
    // Written by `scripts.js`.
    loaded.set(keyOf(each), (JSON.parse(await readFile(file, 'utf8')) as Script[]).filter(isOfFile))
  }
  return loaded
}

export function loadedSection(
  contenders: readonly Contender[],
  loaded: ReadonlyMap<string, readonly Script[]>,
): Section {
  const names = contenders.filter(({ name, isOther }) => loaded.has(name) && !isOther).map(({ name }) => name)
  const of = (name: string) => loaded.get(name) ?? []
  const most = Math.max(...names.filter((name) => name !== baseline).map((name) => of(name).length))
  const rows = names.map((name) => [name, String(of(name).length), kibOf(of(name)), largestOf(of(name))])
  return {
    title: 'What is loaded until a process is ready',
    head: ['process', 'modules', 'code, KiB', 'largest packages: modules, KiB'],
    rows,
    aims: [],
    gates: [{ what: 'modules that a process of any role loads, in thousands', ratio: most / 1000, most: 1.5 }],
  }
}

export function kibOf(scripts: readonly Script[]): string {
  return (sum(scripts.map(([, length]) => length)) / 1024).toFixed(0)
}

function isOfFile([url]: Script): boolean {
  return url.startsWith('file:') || url.startsWith('/')
}

function largestOf(scripts: readonly Script[]): string {
  const size = (of: readonly Script[]) => sum(of.map(([, length]) => length))
  const largest = [...groupBy(scripts)].sort(([, a], [, b]) => size(b) - size(a)).slice(0, shown)
  return largest.map(([name, of]) => `${name}: ${of.length}, ${kibOf(of)}`).join('; ')
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
