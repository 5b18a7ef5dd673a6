import { expect, test } from 'vitest'
import { createLogger } from '../../src/platform/logger.js'

const canary = '王小明 13900001111'

/** The line that the logger writes for this. */
function lineOf(fields: object): Record<string, Record<string, unknown>> {
  const lines: string[] = []
  createLogger('info', { write: (line) => lines.push(line) }).info(fields, 'text')
  return JSON.parse(lines[0] ?? '') as Record<string, Record<string, unknown>>
}

function thrownBy(work: () => unknown): unknown {
  try {
    return work()
  } catch (failure) {
    return failure
  }
}

class ZodError extends Error {
  override readonly name = 'ZodError'
}

test.each<[string, unknown]>([
  ['JSON that cannot be read', thrownBy(() => JSON.parse(canary))],
  ['a row that PostgreSQL refuses', Object.assign(new Error(`invalid input syntax: "${canary}"`), { code: '22P02' })],
  ['a schema', new ZodError(canary)],
  ['a foreign cause', new Error('could not be read', { cause: new Error(canary) })],
  ['one of several', new AggregateError([new Error(canary)], 'all failed')],
  ['something that is no error', { name: canary, message: canary }],
])('an error of %s leaves no value in the log', (_name, err) => {
  expect(JSON.stringify(lineOf({ err }))).not.toContain('王小明')
})

test('an error says its name, code, message and frames, and of its cause name and code', () => {
  const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
  const { err } = lineOf({ err: Object.assign(new Error('gone', { cause }), { code: 'E1' }) })
  expect(err).toMatchObject({
    name: 'Error',
    code: 'E1',
    message: 'gone',
    cause: { name: 'Error', code: 'ECONNREFUSED' },
  })
  expect(err?.['stack']).toMatch(/^\s+at /)
})

test.each(['candidate', 'email', 'mobile', 'comment', 'payload', 'body', 'authorization', 'secret'])(
  'a field %s is redacted, should anybody log one',
  (name) => {
    expect(JSON.stringify(lineOf({ [name]: canary, order: { [name]: canary } }))).not.toContain('王小明')
  },
)

test('what was passed to the logger stays as it is', () => {
  const fields = { token: 'a', order: { email: 'b', id: 1 } }
  expect(lineOf(fields)).toMatchObject({ token: '[redacted]', order: { email: '[redacted]', id: 1 } })
  expect(fields).toEqual({ token: 'a', order: { email: 'b', id: 1 } })
})
