import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { type Variable, variables } from '../../src/config/variables.js'

const at = (path: string) => new URL(`../../${path}`, import.meta.url)
const linesOf = async (path: string) => (await readFile(at(path), 'utf8')).split('\n')

describe('the image', () => {
  it('copies only what is there and what .dockerignore lets through', async () => {
    const letThrough = (await linesOf('.dockerignore'))
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
    const copies = (await linesOf('Dockerfile')).filter((line) => /^COPY (?!--from)/.test(line))
    const sources = copies.flatMap((line) => line.split(' ').slice(1, -1))
    expect(sources.length).toBeGreaterThan(0)
    expect(sources.filter((source) => !letThrough.includes(source) || !existsSync(at(source)))).toEqual([])
    expect(letThrough.filter((source) => !sources.includes(source))).toEqual([])
  })

  it('runs as a number that is not root, and starts the program that is built', async () => {
    const lines = await linesOf('Dockerfile')
    expect(lines).toContain('USER 1000')
    expect(lines.at(-2)).toBe('CMD ["node", "dist/main.js"]')
  })
})

describe('compose.yaml', () => {
  it('sets only names that the configuration knows', async () => {
    const known = Object.entries<Variable<unknown>>(variables)
    const names = known.flatMap(([name, { secret }]) => (secret ? [name, `${name}_FILE`] : [name]))
    const text = await readFile(at('compose.yaml'), 'utf8')
    const used = [...text.matchAll(/\b((?:BGC|FEISHU|VENDOR|DATABASE|REDIS)_[A-Z_]+):/g)].map(([, name]) => name)
    expect(used).toContain('DATABASE_URL_FILE')
    expect(used.filter((name) => name === undefined || !names.includes(name))).toEqual([])
  })
})
