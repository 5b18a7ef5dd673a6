// Asks the registry for known vulnerabilities of what package-lock.json names. Fails for a high one in what runs in
// production, and for a critical one in what only builds and tests: most of what is said about such tools needs
// hostile input, which they do not get. Exit code 75 when the registry cannot be asked, with the reason.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { productionPaths } from './production.mjs'

const fromOn = { production: 'high', development: 'critical' }
const severities = ['info', 'low', 'moderate', 'high', 'critical']

const root = new URL('..', import.meta.url)
const { packages } = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8'))
const production = productionPaths(packages)
// One try: a machine without a way to the registry should not wait for it.
const flags = ['--json', '--package-lock-only', '--fetch-retries=0', '--fetch-timeout=20000']
const { stdout } = spawnSync('npm', ['audit', ...flags], { cwd: root, encoding: 'utf8', maxBuffer: 1e8 })
const { vulnerabilities, message } = read(stdout)

if (vulnerabilities === undefined) {
  console.log(`the registry cannot be asked: ${message ?? 'npm audit said nothing'}`)
  process.exitCode = 75
} else {
  const found = Object.values(vulnerabilities).filter(matters)
  for (const { name, severity, nodes, via } of found) {
    const advisories = via.map((each) => (typeof each === 'string' ? `through ${each}` : `${each.title} ${each.url}`))
    console.log(`${severity}: ${name} (${useOf(nodes)}): ${advisories.join('; ')}`)
  }
  process.exitCode = found.length === 0 ? 0 : 1
}

function read(text) {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

function matters({ severity, nodes }) {
  return severities.indexOf(severity) >= severities.indexOf(fromOn[useOf(nodes)])
}

function useOf(nodes) {
  return nodes.some((path) => production.has(path)) ? 'production' : 'development'
}
