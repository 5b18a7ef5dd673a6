import fc from 'fast-check'
import { expect, test } from 'vitest'
import { retryDelayMs } from '../../src/flow/to-feishu/retry.js'

const base = { attempt: 1, baseMs: 1_000, maxMs: 900_000, random: 0.999_999_9 }

test('doubles the ceiling from attempt to attempt, up to the maximum', () => {
  const ceilings = [1, 2, 3, 4, 10, 11, 12, 5_000].map((attempt) => retryDelayMs({ ...base, attempt }))
  expect(ceilings).toEqual([1_000, 2_000, 4_000, 8_000, 512_000, 900_000, 900_000, 900_000])
})

test('spreads over everything below the ceiling', () => {
  expect(retryDelayMs({ ...base, attempt: 4, random: 0 })).toBe(0)
  expect(retryDelayMs({ ...base, attempt: 4, random: 0.25 })).toBe(2_000)
})

test('stops at the age, and not before', () => {
  expect(retryDelayMs({ ...base, ageMs: 10, maxAgeMs: 11 })).not.toBeNull()
  expect(retryDelayMs({ ...base, ageMs: 11, maxAgeMs: 11 })).toBeNull()
})

test('is a finite delay within the maximum, whatever the attempt', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 10_000 }),
      fc.nat(1_000_000),
      random,
      (attempt, baseMs, maxMs, r) => {
        const delay = retryDelayMs({ attempt, baseMs, maxMs, random: r })
        expect(delay).toBeGreaterThanOrEqual(0)
        expect(delay).toBeLessThanOrEqual(maxMs)
      },
    ),
  )
})
