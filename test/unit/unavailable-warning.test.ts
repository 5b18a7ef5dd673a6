import { beforeEach, expect, test } from 'vitest'
import { createUnavailableWarning } from '../../src/flow/inbox/unavailable-warning.js'
import { createLogger } from '../../src/platform/logger.js'

const lines: string[] = []
const log = createLogger('warn', { write: (line) => lines.push(line) })
let now = 0
let warn: ReturnType<typeof createUnavailableWarning>

beforeEach(() => {
  lines.length = 0
  now = 0
  warn = createUnavailableWarning(log, () => now)
})

const failed = (failure: unknown) => warn({ reason: 'failed', failure })
const told = () => lines.map((line) => JSON.parse(line))

test('each cause is told once a minute, whatever else fails meanwhile', () => {
  const full = Object.assign(new Error('could not extend'), { code: '53100' })
  const refused = Object.assign(new Error('permission denied'), { code: '42501' })
  for (const at of [0, 1, 59_999]) {
    now = at
    failed(full)
    failed(refused)
    failed(new TypeError('of ours'))
    warn({ reason: 'full' })
    warn({ reason: 'late' })
  }
  expect(told().map(({ reason, thrown }) => thrown?.code ?? thrown?.name ?? reason)).toEqual([
    '53100',
    '42501',
    'TypeError',
    'full',
    'late',
  ])
  now = 60_000
  failed(full)
  failed(full)
  expect(lines).toHaveLength(6)
})

test('a line has name and code of what failed, and nothing of its message', () => {
  failed(
    Object.assign(new TypeError("Received 'canary'", { cause: new Error('canary') }), { code: 'ERR_INVALID_ARG_TYPE' }),
  )
  expect(told()).toMatchObject([
    { level: 'warn', event: 'inbox.unavailable', thrown: { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' } },
  ])
  expect(lines.join()).not.toContain('canary')
})
