import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { effects } from '../../src/flow/inbox/effects.js'
import { apis } from '../../src/flow/to-feishu/apis.js'
import { outcomeRows } from '../../src/flow/to-feishu/outcomes.js'

const root = new URL('../../', import.meta.url)
const doc = await readFile(new URL('docs/feishu-coverage.md', root), 'utf8')
const lines = doc.split('\n')

const codes = [...new Set(outcomeRows.map((row) => row.code))].filter((code) => typeof code === 'number')
const files = [...new Set(doc.match(/(?:src|test)\/[\w/.-]+\.ts/g))]

it.each(Object.entries(apis))('docs/feishu-coverage.md has a row for the method %s', (api, { method, path }) => {
  expect(lines.find((line) => line.startsWith(`| \`${api}\` |`))).toContain(
    `${method} ${path.replace('/open-apis/hire/v1', '')}`,
  )
})

it.each(Object.keys(effects))('docs/feishu-coverage.md has a row for the event %s', (type) => {
  expect(lines.some((line) => line.startsWith(`| \`${type}\` |`))).toBe(true)
})

it.each(codes)('docs/feishu-coverage.md says what becomes of code %i', (code) => {
  expect(doc).toMatch(new RegExp(`^\\| [^|]*\\b${code}\\b[^|]*\\|`, 'm'))
})

it.each(files)('docs/feishu-coverage.md names %s, which is there', (file) => {
  expect(existsSync(new URL(file, root))).toBe(true)
})
