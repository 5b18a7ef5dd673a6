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
    const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')))
    // What is copied in belongs to root: the process cannot change its own program.
    expect(last.filter((line) => /^USER |--chown|chmod/.test(line))).toEqual(['USER 1000'])
    expect(last.indexOf('USER 1000')).toBeGreaterThan(last.findLastIndex((line) => /^(RUN|COPY) /.test(line)))
    expect(lines.at(-2)).toBe('CMD ["node", "dist/main.js"]')
  })
})

describe('compose.yaml', () => {
  it('runs all that is built here read-only, with /tmp in memory, and without a privilege to gain or use', async () => {
    // A part begins at its name; of the services of a role, all but the role stands in the first.
    const parts = (await readFile(at('compose.yaml'), 'utf8')).split(/^(?=x-service:| {2}\w+:$)/m)
    const built = parts.filter((part) => part.includes('build: .'))
    expect(built.map((part) => part.split(':')[0]?.trim())).toEqual(['x-service', 'migrate'])
    for (const part of built) {
      for (const line of ['read_only: true', 'tmpfs: [/tmp]', 'cap_drop: [ALL]', '"no-new-privileges:true"']) {
        expect(part).toContain(line)
      }
      expect(part).not.toMatch(/privileged|cap_add|user:|volumes:/)
    }
    for (const role of ['receiver', 'poller', 'sync']) {
      expect(parts.find((part) => part.startsWith(`  ${role}:`))).toContain('<<: *service')
    }
  })

  it('sets only names that the configuration knows', async () => {
    const known = Object.entries<Variable<unknown>>(variables)
    const names = known.flatMap(([name, { secret }]) => (secret ? [name, `${name}_FILE`] : [name]))
    const text = await readFile(at('compose.yaml'), 'utf8')
    const used = [...text.matchAll(/\b((?:BGC|FEISHU|VENDOR|DATABASE|REDIS)_[A-Z_]+):/g)].map(([, name]) => name)
    expect(used).toContain('DATABASE_URL_FILE')
    expect(used.filter((name) => name === undefined || !names.includes(name))).toEqual([])
  })
})
