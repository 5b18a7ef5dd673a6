import { expect, test } from 'vitest'
import { complaintsOf, read } from './config-kit.js'

const REDIS_URL = 'redis://127.0.0.1:6379'

test.each([
  ['nobody waits where no other process could take over', {}, 0],
  ['with Redis a fifth of the stop', { REDIS_URL }, 5000],
  ['so a short stop has a short one', { REDIS_URL, BGC_STOP_TIMEOUT_MS: '1000' }, 200],
  ['what is given is taken', { REDIS_URL, BGC_DRAIN_MS: '20000' }, 20_000],
  ['also none', { REDIS_URL, BGC_DRAIN_MS: '0' }, 0],
  ['also without Redis', { BGC_DRAIN_MS: '3000' }, 3000],
])('the doors stay open: %s', (_claim, changes, expected) => {
  expect(read(changes).drainMs).toBe(expected)
})

test('the doors cannot stay open for longer than a stop may take', () => {
  expect(complaintsOf({ BGC_DRAIN_MS: '2000', BGC_STOP_TIMEOUT_MS: '1000' })).toEqual([
    'BGC_DRAIN_MS: expected no more than BGC_STOP_TIMEOUT_MS',
  ])
})
