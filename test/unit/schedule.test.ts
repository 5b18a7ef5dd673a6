import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextInterval, vendorRetryMs, withJitter } from '../../src/flow/orders/schedule.js'

const terms = { minMs: 30_000, maxMs: 1_800_000 }
const random = fc.double({ min: 0, max: 1, noNaN: true })

test('an order that changed is asked for at the minimum', () => {
  fc.assert(fc.property(fc.nat(), (interval) => nextInterval(interval, true, terms) === terms.minMs))
})

test('while nothing changes the interval grows from the minimum to the maximum and stays there', () => {
  let interval = 0
  const all: number[] = []
  for (let poll = 0; poll < 30; poll += 1) {
    interval = nextInterval(interval, false, terms)
    all.push(interval)
  }
  expect(all[0]).toBe(terms.minMs)
  expect(all.at(-1)).toBe(terms.maxMs)
  expect(all).toEqual(all.toSorted((one, other) => one - other))
  expect(new Set(all).size).toBeGreaterThan(5)
})

test('an interval never leaves its bounds, also where both are the same', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.boolean(),
      fc.integer({ min: 1, max: 1e7 }),
      fc.nat(1e7),
      (interval, changed, minMs, more) => {
        const next = nextInterval(interval, changed, { minMs, maxMs: minMs + more })
        expect(next).toBeGreaterThanOrEqual(minMs)
        expect(next).toBeLessThanOrEqual(minMs + more)
      },
    ),
  )
})

test('jitter moves by a tenth at most, and in both directions', () => {
  fc.assert(
    fc.property(fc.nat(1e7), random, (ms, chance) => {
      expect(Math.abs(withJitter(ms, chance) - ms)).toBeLessThanOrEqual(ms / 10 + 0.5)
    }),
  )
  expect(withJitter(1000, 0)).toBe(900)
  expect(withJitter(1000, 1)).toBe(1100)
})

test('a failed call waits ever longer, from a second to five minutes, and never less than half', () => {
  fc.assert(
    fc.property(fc.nat(1000), random, (attempts, chance) => {
      const ceiling = Math.min(300_000, 1000 * 2 ** attempts)
      expect(vendorRetryMs(attempts, chance)).toBeGreaterThanOrEqual(ceiling / 2 - 1)
      expect(vendorRetryMs(attempts, chance)).toBeLessThanOrEqual(ceiling)
    }),
  )
})
