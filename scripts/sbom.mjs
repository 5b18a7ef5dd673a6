// Prints a bill of materials (CycloneDX, JSON) of what production may load: `npm run --silent sbom`.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { nameOf, productionPaths } from './production.mjs'

const root = new URL('..', import.meta.url)
const { packages } = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8'))
const flags = ['--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only']
const all = JSON.parse(execFileSync('npm', ['sbom', ...flags], { cwd: root, encoding: 'utf8', maxBuffer: 1e8 }))

const own = all.metadata.component['bom-ref']
const kept = new Set([...productionPaths(packages)].map((path) => `${nameOf(path)}@${packages[path].version}`))
const components = all.components.filter((each) => kept.has(each['bom-ref']))
const dependencies = all.dependencies
  .filter(({ ref }) => ref === own || kept.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => kept.has(other)) }))
process.stdout.write(`${JSON.stringify({ ...all, components, dependencies }, null, 2)}\n`)
