import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { timelineKinds } from '../../src/flow/timeline.js'
import { problems } from '../../src/operate/api/problems.js'
import { routes } from '../../src/operate/api/routes.js'

const doc = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8')

it.each(routes.map(({ method, path }) => `| \`${method} ${path}\` |`))('docs/api.md has a row for %s', (row) => {
  expect(doc).toContain(row)
})

it.each(Object.entries(problems))('docs/api.md explains the problem %s', (name, { status }) => {
  expect(doc).toContain(`| \`${name}\` | ${status} |`)
})

it.each(timelineKinds)('docs/api.md explains the timeline kind %s', (kind) => {
  expect(doc).toContain(`| \`${kind}\` |`)
})
