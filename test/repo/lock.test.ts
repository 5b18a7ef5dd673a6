import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

it('package-lock.json names every package for another platform, else npm ci refuses it (`npm run lock` adds them)', () => {
  expect(execFileSync(process.execPath, [at('scripts/lock.mjs'), '--check'], { encoding: 'utf8' })).toBe('')
})

it('package-lock.json names no registry, so that any mirror will do', async () => {
  expect(await readFile(at('package-lock.json'), 'utf8')).not.toContain('"resolved": "http')
})
