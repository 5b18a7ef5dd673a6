import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Breaker, createBreaker } from '../../src/flow/vendor/breaker.js'

const settings = { failuresToOpen: 3, openMs: 1_000, maxOpenMs: 8_000, probeMs: 500 }

function at(start = 0, random = 1) {
  const clock = { now: start }
  const breaker = createBreaker({ ...settings, now: () => clock.now, random: () => random })
  return { clock, breaker }
}

function fail(breaker: Breaker, times: number) {
  for (let i = 0; i < times; i++) breaker.failed('retry', `failure ${i + 1}`)
}

it('opens after as many failures as it takes, one after another', () => {
  const { breaker } = at()
  fail(breaker, 2)
  breaker.succeeded()
  fail(breaker, 2)
  expect(breaker.state()).toBe('closed')
  fail(breaker, 1)
  expect(breaker.state()).toBe('open')
  expect(breaker.admit()).toEqual({ admitted: false, retryInMs: 1_000 })
})

it('opens at once when it is misconfigured, and says why', () => {
  const { breaker } = at(7)
  breaker.failed('misconfigured', 'POST /orders answered 401')
  expect(breaker.look()).toEqual({ state: 'open', since: 7, openings: 1, lastError: 'POST /orders answered 401' })
})

it('keeps the reason that opened it while calls from before report', () => {
  const { breaker } = at()
  breaker.failed('misconfigured', 'the reason')
  breaker.failed('retry', 'another')
  breaker.succeeded()
  expect(breaker.look()).toMatchObject({ state: 'open', lastError: 'the reason' })
})

describe('when its time is over', () => {
  const halfOpen = () => {
    const made = at()
    made.breaker.failed('misconfigured')
    made.clock.now = 1_000
    return made
  }

  it('admits one call to see', () => {
    const { breaker } = halfOpen()
    expect(breaker.look()).toEqual({ state: 'half_open', since: 1_000, openings: 1 })
    expect(breaker.admit()).toEqual({ admitted: true })
    expect(breaker.admit()).toEqual({ admitted: false, retryInMs: 500 })
  })

  it('closes when that goes well', () => {
    const { breaker } = halfOpen()
    breaker.admit()
    breaker.succeeded()
    expect(breaker.state()).toBe('closed')
    expect(breaker.admit()).toEqual({ admitted: true })
  })

  it('opens for twice as long, up to the maximum, each time it does not', () => {
    const { breaker, clock } = halfOpen()
    const lengths = []
    for (let i = 0; i < 5; i++) {
      breaker.admit()
      breaker.failed('retry')
      const admission = breaker.admit()
      lengths.push(admission.admitted ? 0 : admission.retryInMs)
      clock.now += lengths.at(-1) ?? 0
    }
    expect(lengths).toEqual([2_000, 4_000, 8_000, 8_000, 8_000])
  })

  it('does not wait for ever for a call that never reports', () => {
    const { breaker, clock } = halfOpen()
    breaker.admit()
    clock.now += 500
    expect(breaker.admit()).toEqual({ admitted: true })
    expect(breaker.admit()).toMatchObject({ admitted: false })
  })
})

const step = fc.oneof(
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(5_000) }),
  fc.record({
    do: fc.constantFrom('admit' as const, 'succeeded' as const, 'retry' as const, 'misconfigured' as const),
  }),
)

it('keeps its promises whatever happens', () => {
  const random = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), random, (steps, chance) => {
      const { breaker, clock } = at(0, chance)
      let probedAt = Number.NEGATIVE_INFINITY
      for (const one of steps) {
        const before = breaker.state()
        if (one.do === 'wait') clock.now += one.ms
        else if (one.do === 'succeeded') breaker.succeeded()
        else if (one.do !== 'admit') breaker.failed(one.do)
        else {
          const admission = breaker.admit()
          if (before === 'closed') expect(admission.admitted).toBe(true)
          if (before === 'open') expect(admission.admitted).toBe(false)
          if (before === 'half_open' && admission.admitted) {
            expect(clock.now - probedAt).toBeGreaterThanOrEqual(settings.probeMs)
            probedAt = clock.now
          }
          if (!admission.admitted) {
            expect(admission.retryInMs).toBeGreaterThan(0)
            expect(admission.retryInMs).toBeLessThanOrEqual(settings.maxOpenMs)
          }
        }
        if (one.do === 'misconfigured') expect(breaker.state()).not.toBe('closed')
        if (breaker.state() === 'closed') probedAt = Number.NEGATIVE_INFINITY
        expect(breaker.look().since).toBeLessThanOrEqual(clock.now)
      }
    }),
  )
})

it('always admits again, however long it was open', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const { breaker, clock } = at()
      for (const one of steps) {
        if (one.do === 'wait') clock.now += one.ms
        else if (one.do === 'admit') breaker.admit()
        else if (one.do === 'succeeded') breaker.succeeded()
        else breaker.failed(one.do)
      }
      clock.now += settings.maxOpenMs
      expect(breaker.admit()).toEqual({ admitted: true })
    }),
  )
})

it('tells what it would answer without admitting anything', () => {
  const { breaker, clock } = at(0)
  expect(breaker.peek()).toEqual({ admitted: true })
  breaker.failed('misconfigured')
  expect(breaker.peek()).toMatchObject({ admitted: false })
  clock.now = 60_000
  expect(breaker.peek()).toEqual({ admitted: true })
  expect(breaker.peek()).toEqual({ admitted: true })
  expect(breaker.admit()).toEqual({ admitted: true })
  expect(breaker.peek()).toMatchObject({ admitted: false })
})

it('lets a probe through at once when it is told to, and opens again when that fails', () => {
  const { breaker } = at(0)
  breaker.probeSoon()
  expect(breaker.state()).toBe('closed')
  breaker.failed('misconfigured')
  breaker.probeSoon()
  expect(breaker.look()).toMatchObject({ state: 'half_open', openings: 1 })
  expect(breaker.admit()).toEqual({ admitted: true })
  breaker.failed('retry')
  expect(breaker.look()).toMatchObject({ state: 'open', openings: 2 })
})
