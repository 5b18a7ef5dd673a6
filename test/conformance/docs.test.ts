import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, it } from 'vitest'
import { conformanceChecks } from '../../src/adapter.js'
import { runCli } from '../../src/cli/program.js'

const page = readFileSync('docs/vendor-check.md', 'utf8')

it('docs/vendor-check.md has a line for each check, in their order, in their words', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| `') && line.includes('vendor-api.md#'))
  expect(rows).toEqual(
    conformanceChecks.map(({ name, about, see }) => `| \`${name}\` | ${about} | [there](vendor-api.md#${see}) |`),
  )
})

it('every check leads to a heading of docs/vendor-api.md', () => {
  const headings = readFileSync('docs/vendor-api.md', 'utf8')
    .split('\n')
    .filter((line) => /^#+ /.test(line))
  const anchors = headings.map((line) =>
    line
      .replace(/^#+ /, '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
  expect(conformanceChecks.filter(({ see }) => !anchors.includes(see))).toEqual([])
})

it('docs/vendor-check.md names every option of the command, and no other', async () => {
  const said: string[] = []
  await runCli(['vendor', 'check', '--help'], { out: (text) => void said.push(text), err: () => undefined })
  const inHelp = new Set([...said.join('').matchAll(/^ {2}(?:-h, )?(--[a-z-]+)/gm)].map(([, name]) => name))
  inHelp.delete('--help')
  const onPage = new Set([...page.matchAll(/^\| `(--[a-z-]+)/gm)].map(([, name]) => name))
  expect([...onPage].toSorted()).toEqual([...inHelp].toSorted())
})

/** What a file loads, by its own imports that are more than types. */
function loads(file: string): string[] {
  const imports = /^(?:import|export) (?!type\b)[^']*?from '([^']+)'|^import '([^']+)'/gm
  return [...readFileSync(file, 'utf8').matchAll(imports)].map(([, from, bare]) => from ?? bare ?? '')
}

it('bgc-bridge/adapter loads the suite and the http adapter, and nothing of the service', () => {
  const seen = new Set<string>()
  const packages = new Set<string>()
  const follow = (file: string) => {
    if (seen.has(file)) return
    seen.add(file)
    for (const name of loads(file)) {
      const path = join(dirname(file), name.replace(/\.js$/, '.ts'))
      if (!name.startsWith('.')) packages.add(name)
      else if (existsSync(path)) follow(path)
      else throw new Error(`${file} loads ${name}, which is not there`)
    }
  }
  follow('src/adapter.ts')
  const rooms = [...seen].map((file) => relative('src', dirname(file)))
  expect([...new Set(rooms)].toSorted()).toEqual([
    '',
    'conformance',
    'conformance/checks',
    'flow/vendor',
    'platform',
    'platform/tracing',
  ])
  const ofPackages = [...packages].filter((name) => !name.startsWith('node:'))
  expect(ofPackages.toSorted()).toEqual(['@opentelemetry/api', 'https-proxy-agent', 'zod'])
})
