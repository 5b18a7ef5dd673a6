import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/count-tests.mjs', import.meta.url))
const told = (status: string, message = '') => ({ status, fullName: `a ${status} one`, failureMessages: [message] })

/** "passed failed skipped not-run", as `scripts/test` adds them up. */
function count(testResults: object[], exitCode = '1'): string {
  const folder = mkdtempSync(join(tmpdir(), 'bgc-count-'))
  try {
    writeFileSync(join(folder, 'report.json'), JSON.stringify({ testResults }))
    return spawnSync(process.execPath, [script, join(folder, 'report.json'), exitCode], {
      encoding: 'utf8',
    }).stdout.trim()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

it('counts each test by how it ended', () => {
  const tests = [told('passed'), told('passed'), told('failed', 'expected 1'), told('pending'), told('skipped')]
  expect(count([{ name: 'a', status: 'failed', assertionResults: tests }])).toBe('2 1 2 0')
})

it('counts a file that failed before its tests could as a failure', () => {
  expect(count([{ name: 'a', status: 'failed', message: 'SyntaxError', assertionResults: [] }])).toBe('0 1 0 0')
})

it('calls what failed for want of a program not run', () => {
  const missing = 'Error: spawn redis-server ENOENT'
  const inTest = { name: 'a', status: 'failed', assertionResults: [told('failed', missing), told('passed')] }
  const inHook = { name: 'b', status: 'failed', message: missing, assertionResults: [told('skipped')] }
  expect(count([inTest, inHook])).toBe('1 0 1 2')
})

it('counts an error outside any test as a failure', () => {
  expect(count([{ name: 'a', status: 'passed', assertionResults: [told('passed')] }])).toBe('1 1 0 0')
  expect(count([{ name: 'a', status: 'passed', assertionResults: [told('passed')] }], '0')).toBe('1 0 0 0')
})
