import { median } from '../support/figures.js'
import type { Aim } from '../support/report.js'
import { inBins, type Point, slopePerHour, warm } from './slope.js'

/** What a soak of this length can show. */
export interface Terms {
  /** The length of the load, ms. */
  lastsMs: number
  /** What a process needs until all of its code and caches are there, ms from its start or the soak's. */
  warmUpMs: number
  /** A life of a process that goes on for less than this after its warm-up says nothing. */
  leastLifeMs: number
  /** Too short a soak shows nothing of growth, and is not held to it. */
  mustMeasure: boolean
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const shortestMeasuredMs = 5 * minuteMs
const leastInAThird = 5

export function termsFor(lastsMs: number): Terms {
  return {
    lastsMs,
    warmUpMs: Math.min(10 * minuteMs, lastsMs / 5),
    leastLifeMs: Math.min(20 * minuteMs, lastsMs / 5),
    mustMeasure: lastsMs >= shortestMeasuredMs,
  }
}

/** Where something was under way or had just ended: ms since 1970. */
export interface Span {
  from: number
  to: number
}

const recoverMs = 12_000

/** Outside of faults and of the moments after them, in which everything may be late. */
export function isQuiet(at: number, faults: readonly Span[]): boolean {
  return !faults.some(({ from, to }) => at >= from && at <= to + recoverMs)
}

export interface FlatRule {
  what: string
  /** MiB per hour that a long soak may show. */
  perHour: number
  /** MiB that a garbage collector may leave lying about within any soak: it decides in short ones. */
  atAll: number
  pick: (values: readonly number[]) => number
}

const binMs = 15_000

/** Memory: by the slope within the lives of processes, after their warm-up. */
export function checkFlat({ what, perHour, atAll, pick }: FlatRule, points: readonly Point[], terms: Terms): Aim {
  const measured = inBins(warm(points, terms.warmUpMs, terms.leastLifeMs), binMs, pick)
  const slope = slopePerHour(measured)
  if (Number.isNaN(slope) || !terms.mustMeasure) return notMeasured(what, terms)
  const bound = boundOf({ perHour, atAll }, terms)
  const figure = `${slope.toFixed(1)} MiB/h, at most ${bound.toFixed(1)}`
  return { what, figure, met: slope <= bound }
}

export function boundOf({ perHour, atAll }: Pick<FlatRule, 'perHour' | 'atAll'>, { lastsMs, warmUpMs }: Terms): number {
  return Math.max(perHour, atAll / ((lastsMs - warmUpMs) / hourMs))
}

export interface SteadyRule {
  what: string
  unit: string
  /** The last third may have so much more than the first. */
  slack: number
  digits?: number
}

const mayGrow = 1.2

/** What has no reason to grow under a steady load: the middle of the last third against that of the first. */
export function checkSteady(
  { what, unit, slack, digits = 0 }: SteadyRule,
  points: readonly Point[],
  faults: readonly Span[],
  terms: Terms,
): Aim {
  const quiet = points.filter(({ at }) => isQuiet(at, faults))
  const [early, late] = outerThirds(points, quiet, terms)
  const isEnough = early.length >= leastInAThird && late.length >= leastInAThird
  if (!isEnough || !terms.mustMeasure) return notMeasured(what, terms)
  const before = median(early)
  const after = median(late)
  const bound = before * mayGrow + slack
  const show = (value: number) => value.toFixed(digits)
  const figure = `${show(before)} ${unit} in the first third, ${show(after)} in the last, at most ${show(bound)}`
  return { what, figure, met: after <= bound }
}

function outerThirds(all: readonly Point[], quiet: readonly Point[], { warmUpMs }: Terms): [number[], number[]] {
  const start = Math.min(...all.map(({ at }) => at)) + warmUpMs
  const end = Math.max(...all.map(({ at }) => at))
  const third = (end - start) / 3
  const valuesIn = (from: number, to: number) =>
    quiet.filter(({ at }) => at >= from && at <= to).map(({ value }) => value)
  return [valuesIn(start, start + third), valuesIn(end - third, end)]
}

const unmeasured = 'not measured: too short, or too few samples'

function notMeasured(what: string, { mustMeasure }: Terms): Aim {
  return { what, figure: unmeasured, met: !mustMeasure }
}

export function inAWord({ figure, met }: Aim): 'holds' | 'broken' | '–' {
  if (!met) return 'broken'
  return figure === unmeasured ? '–' : 'holds'
}

/** What the oracle found, by what was promised. */
export interface Broken {
  lost: string[]
  duplicates: string[]
  order: string[]
  windows: string[]
  /** Faults that nobody felt: they have shown nothing, and break nothing. */
  unfelt: string[]
}

const kinds: ReadonlyArray<[keyof Broken, RegExp]> = [
  ['unfelt', /^kit: nobody felt/],
  ['windows', /"rule":"window_exceeded"/],
  ['duplicates', /"rule":"(stage|result)_accepted_twice"|was sent again|: (?:[2-9]|\d{2,}) orders at the vendor/],
  ['order', /"rule":"/],
]

/** Sorts the words of the kit's oracle; what has no other name was lost. */
export function sortBroken(found: readonly string[]): Broken {
  const sorted: Broken = { lost: [], duplicates: [], order: [], windows: [], unfelt: [] }
  for (const each of found) sorted[kinds.find(([, words]) => words.test(each))?.[0] ?? 'lost'].push(each)
  return sorted
}

export function checkPromises({ lost, duplicates, order, windows }: Broken): Aim[] {
  const none = (what: string, found: readonly string[]): Aim => ({
    what,
    figure: String(found.length),
    met: found.length === 0,
  })
  return [
    none('lost', lost),
    none('duplicates', duplicates),
    none('order broken', order),
    none('windows exceeded', windows),
  ]
}
