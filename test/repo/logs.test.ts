import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { logEvents } from '../../src/platform/log-events.js'

/** Sources whose lines reach the log of the service. */
function sources(): string[] {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  const others = /^(sandbox|platform\/database\/generated)\/|log-events\.ts$/
  return files.filter((file) => /\.tsx?$/.test(file) && !others.test(file))
}

/** Names that are put together: what takes the place of `${…}`. */
const parts: Record<string, () => string[]> = {
  'vendor.${task.action}': () => ['bind', 'place', 'cancel', 'resend'].map((action) => `vendor.${action}`),
  'embedded.${event}': () => embedded().map((event) => `embedded.${event}`),
}

function embedded(): string[] {
  const files = sources().filter((file) => file.startsWith('platform/embedded/'))
  return files.flatMap((file) => [...textOf(file).matchAll(/\blog\('(\w+)'/g)].map((match) => match[1] ?? ''))
}

function textOf(file: string): string {
  return readFileSync(join('src', file), 'utf8')
}

function loggedNames(): string[] {
  const lines = sources().flatMap((file) =>
    textOf(file)
      .split('\n')
      .filter((line) => /\bevent: /.test(line)),
  )
  const named = lines.flatMap((line) =>
    [...line.matchAll(/['`]([a-z_]+\.[\w.${}]+)['`]/g)].map((match) => match[1] ?? ''),
  )
  return [...new Set(named.flatMap((name) => parts[name]?.() ?? [name]))].toSorted()
}

test('src/platform/log-events.ts has every event that the code logs, and no other', () => {
  expect(loggedNames()).toEqual(Object.keys(logEvents).toSorted())
})

test('docs/logs.md has a line for each event, with its level and what it says', () => {
  const found = readFileSync('docs/logs.md', 'utf8')
    .split('\n')
    .filter((line) => /^\| `[a-z_]+\./.test(line))
  const expected = Object.entries(logEvents).map(([name, text]) => {
    const end = text.indexOf(': ')
    return `| \`${name}\` | ${text.slice(0, end)} | ${text.slice(end + 2)} |`
  })
  expect(found).toEqual(expected)
})

test('every line of the log names an event', () => {
  const calls = sources().flatMap((file) =>
    [...textOf(file).matchAll(/\blog\.(?:info|warn|error|debug|fatal|trace)\(\s*([^\s])/g)].map((match) => ({
      file,
      begins: match[1],
    })),
  )
  // An object, or a variable that holds one: never a text alone.
  expect(calls.filter(({ begins }) => /['"`]/.test(begins ?? ''))).toEqual([])
  expect(calls.length).toBeGreaterThan(40)
})
