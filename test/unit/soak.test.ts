import { describe, expect, it } from 'vitest'
import { inBins, type Point, slopePerHour, warm } from '../../bench/soak/slope.js'
import {
  checkFlat,
  checkPromises,
  checkSteady,
  isQuiet,
  sortBroken,
  type Terms,
  termsFor,
} from '../../bench/soak/verdict.js'

const minuteMs = 60_000
const least = (values: readonly number[]) => Math.min(...values)
/** Every ten seconds for so many minutes. */
const series = (minutes: number, valueAt: (minute: number) => number, life?: string, fromMinute = 0): Point[] =>
  Array.from({ length: minutes * 6 }, (_, index) => ({
    at: (fromMinute + index / 6) * minuteMs,
    value: valueAt(index / 6),
    ...(life === undefined ? {} : { life }),
  }))
const hour: Terms = termsFor(60 * minuteMs)

describe('the slope of a soak', () => {
  it('is what grows in an hour, whatever single peaks say', () => {
    const points = series(60, (minute) => 100 + minute * 0.5).map((point, index) =>
      index % 7 === 0 ? { ...point, value: 900 } : point,
    )

    expect(slopePerHour(points)).toBeCloseTo(30, 0)
  })

  it('is not moved by a process that began elsewhere after a kill', () => {
    const points = [...series(30, () => 200, '1 since 1'), ...series(30, () => 100, '1 since 2', 30)]

    expect(slopePerHour(points)).toBe(0)
  })

  it('is unknown with less than two points', () => {
    expect(slopePerHour([{ at: 1, value: 1 }])).toBeNaN()
  })

  it('leaves the warm-up of each life out, and lives that were too short after it', () => {
    const points = [...series(30, (minute) => minute, 'long'), ...series(12, (minute) => minute, 'short', 30)]

    const left = warm(points, 10 * minuteMs, 5 * minuteMs)

    expect(new Set(left.map(({ life }) => life))).toEqual(new Set(['long']))
    expect(left[0]?.value).toBe(10)
  })

  it('takes one point from each bin of each life', () => {
    const sawtooth = series(3, (minute) => 50 + (minute % 1) * 60, 'a')

    const bins = inBins(sawtooth, minuteMs, least)

    expect(bins.map(({ value }) => value)).toEqual([50, 50, 50])
    expect(bins.map(({ life }) => life)).toEqual(['a', 'a', 'a'])
  })
})

describe('the verdict on memory', () => {
  const rule = { what: 'memory', perHour: 4, atAll: 0, pick: least }

  it('holds for a sawtooth whose floor stays', () => {
    const points = series(60, (minute) => 80 + ((minute * 7) % 20), '1')

    expect(checkFlat(rule, points, hour).met).toBe(true)
  })

  it('is broken by a leak that is more than the bound', () => {
    const points = series(60, (minute) => 80 + ((minute * 7) % 20) + minute * 0.1, '1')

    const verdict = checkFlat(rule, points, hour)

    expect(verdict).toMatchObject({ met: false, figure: expect.stringContaining('at most 4.0') })
  })

  it('allows a short soak what a collector may leave, and no more', () => {
    const terms = termsFor(8 * minuteMs)
    const growing = (mibPerMinute: number) => series(8, (minute) => 80 + minute * mibPerMinute, '1')

    expect(checkFlat({ ...rule, atAll: 8 }, growing(1), terms).met).toBe(true)
    expect(checkFlat({ ...rule, atAll: 8 }, growing(2), terms).met).toBe(false)
  })

  it('is broken when a soak that is long enough measured nothing', () => {
    expect(checkFlat(rule, [], hour).met).toBe(false)
    expect(checkFlat(rule, [], termsFor(minuteMs)).met).toBe(true)
  })
})

describe('the verdict on what should stay as it is', () => {
  const rule = { what: 'handles', unit: '', slack: 5 }

  it('holds when the last third is as the first', () => {
    expect(
      checkSteady(
        rule,
        series(60, () => 40),
        [],
        hour,
      ).met,
    ).toBe(true)
  })

  it('is broken when the last third has more', () => {
    expect(
      checkSteady(
        rule,
        series(60, (minute) => 40 + minute),
        [],
        hour,
      ).met,
    ).toBe(false)
  })

  it('does not count what a fault has held up', () => {
    const points = series(60, (minute) => (minute >= 42 && minute < 58 ? 500 : 3))
    const fault = { from: 42 * minuteMs, to: 58 * minuteMs }

    expect(checkSteady(rule, points, [fault], hour).met).toBe(true)
    expect(checkSteady(rule, points, [], hour).met).toBe(false)
  })

  it('is broken when a soak that is long enough had too few quiet samples', () => {
    const always = { from: 0, to: 60 * minuteMs }

    expect(
      checkSteady(
        rule,
        series(60, () => 40),
        [always],
        hour,
      ).met,
    ).toBe(false)
  })

  it('lets what a fault leaves behind settle for a moment', () => {
    const fault = { from: 10_000, to: 20_000 }

    expect([9000, 15_000, 25_000, 33_000].map((at) => isQuiet(at, [fault]))).toEqual([true, false, false, true])
  })
})

describe('what the oracle finds', () => {
  const found = [
    'kit: nobody felt the fault "redis restarted"',
    '{"rule":"window_exceeded","detail":"6 in 1000 ms"}',
    '{"rule":"stage_accepted_twice","detail":"stage st-1"}',
    '71: 2 orders at the vendor',
    '71: update_result was sent again (calls 4, 7) after a yes',
    '{"rule":"stages_out_of_order","detail":"st-2, st-1 came"}',
    '71: 0 orders at the vendor',
    'event e-1 was acknowledged and is not here',
  ]

  it('is sorted by what was promised, and what has no name was lost', () => {
    const { unfelt, windows, duplicates, order, lost } = sortBroken(found)

    expect({ unfelt: unfelt.length, windows: windows.length, order: order.length }).toEqual({
      unfelt: 1,
      windows: 1,
      order: 1,
    })
    expect(duplicates).toEqual([found[2], found[3], found[4]])
    expect(lost).toEqual([found[6], found[7]])
  })

  it('breaks a promise each time, but for a fault that nobody felt', () => {
    expect(checkPromises(sortBroken(found)).every(({ met }) => !met)).toBe(true)
    expect(checkPromises(sortBroken(found.slice(0, 1))).every(({ met }) => met)).toBe(true)
  })
})
