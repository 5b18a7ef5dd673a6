import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { registerGauges } from '../../src/operate/gauges.js'
import { createMetrics } from '../../src/operate/metrics.js'

/** Throws where the program is missing: the run lists that as not run. */
function promtool(...args: string[]): string {
  const ran = spawnSync('promtool', args, { encoding: 'utf8' })
  if (ran.error) throw ran.error
  return ran.status === 0 ? 'fine' : ran.stdout + ran.stderr
}

/** Every name that a process exports. */
function exported(): Set<string> {
  const metrics = createMetrics()
  const parts = { config: { roles: [], retentionDays: 180 }, database: { pool: {}, intake: {} }, metrics, redis: {} }
  registerGauges(parts as never)
  const all = metrics.registry.getMetricsAsArray() as unknown as Array<{ name: string; type: string }>
  return new Set(
    all.flatMap(({ name, type }) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
    ),
  )
}

function unknownIn(expressions: readonly string[]): string[] {
  const known = exported()
  const used = expressions.flatMap((text) => text.match(/\bbgc_\w+/g) ?? [])
  return [...new Set(used)].filter((name) => !known.has(name))
}

const rules = readFileSync('ops/prometheus/alerts.yml', 'utf8')
const alerts = rules.split('- alert: ').slice(1)
const names = alerts.map((text) => /^\w+/.exec(text)?.[0] ?? '')

test('the alerts are rules that Prometheus takes', () => {
  expect(promtool('check', 'rules', 'ops/prometheus/alerts.yml')).toBe('fine')
})

test('each alert fires where it should, and is silent where it should not', () => {
  expect(promtool('test', 'rules', 'ops/prometheus/alerts.test.yml')).toBe('fine')
})

test.each(names)('%s has both tests, a severity, a summary and its place in the runbook', (name) => {
  const tests = readFileSync('ops/prometheus/alerts.test.yml', 'utf8')
  expect(tests).toContain(`- name: ${name} fires`)
  expect(tests).toContain(`- name: ${name} is silent`)
  const text = alerts.find((each) => each.startsWith(`${name}\n`)) ?? ''
  expect(text).toMatch(/severity: (critical|warning|info) /)
  expect(text).toMatch(/summary: ./)
  expect(text).toContain(`runbook_url: docs/runbook.md#${name.toLowerCase()}\n`)
})

test('the alerts look at metrics that there are', () => {
  expect(unknownIn([rules])).toEqual([])
})

test('the example of a scrape configuration is one', () => {
  expect(promtool('check', 'config', 'ops/prometheus/scrape.example.yml')).toBe('fine')
})

interface Panel {
  type: string
  title: string
  targets?: Array<{ expr: string }>
}

function dashboard() {
  return JSON.parse(readFileSync('ops/grafana/bgc-bridge.json', 'utf8')) as { uid: string; panels: Panel[] }
}

function expressions(): string[] {
  return dashboard().panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
}

test('the dashboard has panels that ask for metrics that there are', () => {
  const { panels } = dashboard()
  expect(panels.filter(({ type, targets = [] }) => type !== 'row' && targets.length === 0)).toEqual([])
  expect(expressions().length).toBeGreaterThan(30)
  expect(unknownIn(expressions())).toEqual([])
})

test('what the dashboard asks is PromQL', () => {
  const asked = expressions().map((expr, index) => ({
    record: `panel_${index}`,
    expr: expr.replaceAll('$__rate_interval', '5m'),
  }))
  const folder = mkdtempSync(join(tmpdir(), 'bgc-ops-'))
  const file = join(folder, 'rules.json')
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules: asked }] }))
  expect(promtool('check', 'rules', file)).toBe('fine')
  rmSync(folder, { recursive: true })
})

test.each(existsSync('docs/runbook.md') ? names : [])('docs/runbook.md has a section for %s', (name) => {
  expect(readFileSync('docs/runbook.md', 'utf8')).toMatch(new RegExp(`^#+ ${name}$`, 'm'))
})
