import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/program.js'
import { type Variable, variables } from '../../src/config/variables.js'
import { conditions } from '../../src/operate/alerts/conditions.js'
import { routes } from '../../src/operate/api/routes.js'
import { pages } from '../../src/operate/console/pages.js'
import { texts } from '../../src/operate/console/texts.js'
import { menu } from '../../src/operate/console/visit.js'
import { registerGauges } from '../../src/operate/gauges.js'
import { createMetrics } from '../../src/operate/metrics.js'
import { logEvents } from '../../src/platform/log-events.js'

const read = (path: string) => readFile(path, 'utf8')

const rules = await read('ops/prometheus/alerts.yml')
const inRules = [...rules.matchAll(/- alert: (\w+)/g)].flatMap(([, name]) => name ?? [])
const alerts = [...new Set([...inRules, ...Object.keys(conditions)])]

const runbooks = {
  'docs/runbook.md': ['What it means', 'What to look at', 'What to do', 'It is over'],
  'docs/runbook.zh-CN.md': ['含义', '看什么', '怎么做', '何时恢复'],
} as const
const written = new Map<string, string>()
const guides = [...Object.keys(runbooks), 'docs/operating.md', 'README.md', 'README.zh-CN.md']
for (const path of guides) written.set(path, await read(path))
const textOf = (path: string) => written.get(path) ?? ''

/** The sections of a page, each with its heading first. */
const sectionsOf = (text: string) => text.split(/^## /m).slice(1)

/** What stands between backticks or in a block of code, one line each, without the comments of a shell. */
function codeOf(text: string): string[] {
  const blocks = [...text.matchAll(/^ *```\w*\n([\s\S]*?)^ *```/gm)].flatMap(([, block = '']) => block.split('\n'))
  const spans = [...text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
  return [...blocks, ...spans].map((line) => line.replace(/(^|\s)#\s.*$/, '').trim())
}

describe.each(Object.entries(runbooks))('%s', (path, [means, look, act, over]) => {
  it.each(alerts)('has a section for %s: what it means, what to look at, what to do, and when it is over', (name) => {
    const found = sectionsOf(textOf(path)).filter((each) => each.startsWith(`${name}\n`))
    expect(found).toHaveLength(1)
    const places = [means, look, act, over].map((part) => found[0]?.indexOf(`**${part}`) ?? -1)
    expect(places.every((place) => place > 0)).toBe(true)
    expect(places).toEqual(places.toSorted((one, other) => one - other))
  })

  it('has no section for an alert that there is not', () => {
    const headings = [...textOf(path).matchAll(/^## (Bgc\w+)$/gm)].flatMap(([, name]) => name ?? [])
    expect(headings.toSorted()).toEqual(alerts.toSorted())
  })

  it('lists every alert at its beginning', () => {
    const [beginning = ''] = textOf(path).split(/^## /m)
    expect(alerts.filter((name) => !beginning.includes(`[${name}](#${name.toLowerCase()})`))).toEqual([])
  })
})

it('each runbook_url of an alert leads to its section', async () => {
  const urls = [...rules.matchAll(/- alert: (\w+)[\s\S]*?runbook_url: (\S+)/g)]
  expect(urls).toHaveLength(inRules.length)
  for (const [, name = '', url = ''] of urls) {
    const [path = '', anchor = ''] = url.split('#')
    expect(anchor).toBe(name.toLowerCase())
    expect(await anchorsOf(path)).toContain(anchor)
  }
})

it('both runbooks name the same things, section by section', () => {
  const [en = [], zh = []] = Object.keys(runbooks).map((path) => [textOf(path), ...sectionsOf(textOf(path))])
  expect(zh).toHaveLength(en.length)
  for (const [index, section] of en.entries()) expect(thingsOf(zh[index] ?? '')).toEqual(thingsOf(section))
})

it('docs/operating.md says when the group bot tells of each of its alerts', () => {
  const [, told = ''] = textOf('docs/operating.md').split('| name | told when |')
  const named = [...(told.split('\n\n')[0] ?? '').matchAll(/`(Bgc\w+)`/g)].map(([, name]) => name)
  expect(named.toSorted()).toEqual(Object.keys(conditions).toSorted())
})

/** Commands, paths, metrics, events, codes and settings: what is the same in every language. */
function thingsOf(section: string): string[] {
  const isWord = (code: string) => /^[\w{}/.$|…-]+$/.test(code) || /^(bgc|docker|api|SELECT) /.test(code)
  return [...new Set(codeOf(section).filter((code) => code !== '' && isWord(code)))].toSorted()
}

/** Every path of commands, with the words that may follow it. */
let commands: Map<string, string[]>

beforeAll(async () => {
  let script = ''
  const code = await runCli(['completion', 'bash'], { out: (text) => (script += text), err: () => undefined })
  expect(code).toBe(0)
  const lines = [...script.matchAll(/^ +'(.*)'\) words='(.*)' ;;$/gm)]
  commands = new Map(lines.map(([, path = '', words = '']) => [path, words.split(' ')]))
  expect(commands.size).toBeGreaterThan(30)
})

const complaintOf = (words: string[], what: string) => `bgc ${words.join(' ')}: ${what}`

/** What of a typed command there is not. */
function judgeCommand(words: string[]): string[] {
  let path = ''
  let rest = words
  while (rest[0] !== undefined && commands.has(`${path} ${rest[0]}`.trim())) {
    path = `${path} ${rest[0]}`.trim()
    rest = rest.slice(1)
  }
  const known = commands.get(path) ?? []
  // One with options of its own does something by itself, too.
  const isRunnable = known.some((word) => word.startsWith('--') && word !== '--help')
  const takesCommand = !isRunnable && known.some((word) => commands.has(`${path} ${word}`.trim()))
  const flags = rest.filter((word) => word.startsWith('--') && !known.includes(word))
  return [
    ...(path === '' || takesCommand ? [complaintOf(words, 'no such command')] : []),
    ...flags.map((flag) => complaintOf(words, `no ${flag}`)),
  ]
}

it.each(guides)('%s names only commands and options of bgc that there are', (path) => {
  const typed = codeOf(textOf(path)).flatMap((line) =>
    [...line.matchAll(/(?:^|[\s(])bgc ([a-z][^|>;)&]*)/g)].map(([, rest = '']) => rest.trim().split(/\s+/)),
  )
  expect(typed.length).toBeGreaterThan(0)
  expect(typed.flatMap(judgeCommand)).toEqual([])
})

it.each(guides)('%s names only paths of /v1 that there are, with methods that they take', (path) => {
  const shapes = new Set(routes.map((route) => shapeOf(route.path)))
  const asked = new Set(routes.map((route) => `${route.method} ${shapeOf(route.path)}`))
  const code = codeOf(textOf(path))
  const named = code.flatMap((line) => line.match(/\/v1\/[^\s'"`?,)]+/g) ?? [])
  const withMethod = code.filter((line) => /^[A-Z]+ \/v1\/\S+$/.test(line))
  expect(named.length).toBeGreaterThan(0)
  expect(named.filter((each) => !shapes.has(shapeOf(each)))).toEqual([])
  expect(withMethod.filter((each) => !asked.has(shapeOf(each)))).toEqual([])
})

/** Names and examples of parameters count alike: `{id}`, `<account id>`, `V-1`. */
function shapeOf(path: string): string {
  return path.replaceAll(/\{[^}]*\}|<[^>]*>?|(?<=\/)(?:[A-Z\d][\w-]*)/g, '*').replaceAll(/\*.*?(?=\/|$)/g, '*')
}

/** A process with Redis, and what is counted in the database. */
function metricNames(): Set<string> {
  const metrics = createMetrics()
  const parts = { config: { roles: [], retentionDays: 180 }, database: { pool: {}, intake: {} }, metrics, redis: {} }
  registerGauges(parts as never)
  return new Set(metrics.registry.getMetricsAsArray().map(({ name }) => name))
}

it.each(guides)('%s names only metrics, log events and settings that there are', (path) => {
  const text = textOf(path)
  const metrics = metricNames()
  const known = Object.entries<Variable<unknown>>(variables)
  const settings = new Set(known.flatMap(([name, { secret }]) => (secret ? [name, `${name}_FILE`] : [name])))
  const events = new Set(Object.keys(logEvents))
  const rooms = new Set([...events].map((name) => name.split('.')[0]))
  const code = codeOf(text)
  const bad = [
    ...(text.match(/\bbgc_\w+/g) ?? []).filter((name) => !metrics.has(name)),
    ...(text.match(/\b(?:BGC|FEISHU|VENDOR)_[A-Z_]+\b/g) ?? []).filter((name) => !settings.has(name)),
    ...code.filter((name) => /^[a-z_]+\.[a-z_]+$/.test(name) && rooms.has(name.split('.')[0]) && !events.has(name)),
  ]
  expect(bad).toEqual([])
})

it.each(guides)('%s names only pages of the console that there are', (path) => {
  const known = new Set(pages.map((page) => `/console${page.path === '/' ? '' : page.path}`))
  const named = codeOf(textOf(path)).filter((code) => /^\/console(\/[a-z]+)?$/.test(code))
  expect(named.filter((each) => !known.has(each))).toEqual([])
})

it('pages of the console are called as its menu calls them', () => {
  const called = menu.map(({ name }) => texts[name])
  const named = (path: string, word: RegExp) => [...textOf(path).matchAll(word)].map(([, name = '']) => name)
  const inEnglish = named('docs/runbook.md', /Console → (\w+)/g)
  const inChinese = named('docs/runbook.zh-CN.md', /控制台 → (\p{Script=Han}+)/gu)
  expect(inEnglish.length).toBeGreaterThan(10)
  expect(inChinese).toHaveLength(inEnglish.length)
  expect(inEnglish.filter((each) => !called.some(({ en }) => en === each))).toEqual([])
  expect(inChinese.filter((each) => !called.some(({ zh }) => zh === each))).toEqual([])
})

/** As GitHub makes them from headings. */
async function anchorsOf(path: string): Promise<string[]> {
  const text = (await read(path)).replaceAll(/^ *```[\s\S]*?^ *```/gm, '')
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  )
}

it.each(guides)('every link of %s leads somewhere', async (path) => {
  const prose = textOf(path).replaceAll(/^ *```[\s\S]*?^ *```/gm, '')
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => link ?? [])
  const lost: string[] = []
  for (const link of links.filter((each) => !each.startsWith('https:'))) {
    const [file = '', anchor] = link.split('#')
    const target = file === '' ? path : join(dirname(path), file)
    if (!existsSync(target)) lost.push(link)
    else if (anchor !== undefined && !(await anchorsOf(target)).includes(decodeURI(anchor))) lost.push(link)
  }
  expect(links.length).toBeGreaterThan(3)
  expect(lost).toEqual([])
})
