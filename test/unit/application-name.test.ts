import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { applicationName, readApplicationName, worksIn } from '../../src/platform/database/application-name.js'

const marks = ['aaaaaa', 'bbbbbb', 'cccccc', 'dddddd', 'eeeeee', 'ffffff', '000000']

it('tells the schema and six keys within the 63 bytes that PostgreSQL keeps', () => {
  const name = applicationName('public', marks)
  expect(name.length).toBe(63)
  expect(readApplicationName(name, 'public')).toEqual(marks.slice(0, 6))
  expect(readApplicationName(name, 'other')).toBeNull()
  expect([worksIn('public', name), worksIn('other', name), worksIn('other', 'bgc-bridge')]).toEqual([true, false, true])
})

it('knows a process that was not upgraded yet by four digits of its schema', () => {
  const digits = createHash('sha256').update('public').digest('hex').slice(0, 4)
  expect(readApplicationName(`bgc-bridge ${digits} aaaaaa`, 'public')).toEqual(['aaaaaa'])
  expect(readApplicationName(`bgc-bridge ${digits} aaaaaa`, 'other')).toBeNull()
})

it.each(['psql', 'bgc-bridge', 'bgc-bridge backup', 'bgc-bridge 0123 aaaa'])('reads no keys from %s', (name) => {
  expect(readApplicationName(name, 'public')).toBeNull()
})
