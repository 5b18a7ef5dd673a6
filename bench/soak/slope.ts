import { median } from '../support/figures.js'

/** A value at a moment; `life`: the process that it was taken of, where it matters. */
export interface Point {
  /** ms. */
  at: number
  value: number
  life?: string
}

const hourMs = 3_600_000
/** Pairs grow with the square: the hours of a long soak are put into so many bins for each life. */
const mostPoints = 300

/**
 * Units per hour, by Theil and Sen: the median of the slopes between all pairs of points, so that single peaks count for
 * nothing. Pairs are made within a life only, since another process begins elsewhere. NaN with less than two points.
 * Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau", JASA 63 (1968).
 */
export function slopePerHour(points: readonly Point[]): number {
  return median(livesOf(points).flatMap((life) => slopesWithin(life)))
}

function slopesWithin(points: readonly Point[]): number[] {
  return points.flatMap((from, index) =>
    points
      .slice(index + 1)
      .filter(({ at }) => at !== from.at)
      .map(({ at, value }) => ((value - from.value) / (at - from.at)) * hourMs),
  )
}

export function livesOf(points: readonly Point[]): Point[][] {
  const lives = groupBy(points, ({ life }) => life)
  return [...lives.values()].map((life) => life.toSorted((one, other) => one.at - other.at))
}

/** One point for each `widthMs` of each life, at the middle of its points. */
export function inBins(
  points: readonly Point[],
  widthMs: number,
  pick: (values: readonly number[]) => number,
): Point[] {
  return livesOf(points).flatMap((life) => {
    const start = life[0]?.at ?? 0
    const length = (life.at(-1)?.at ?? 0) - start
    const width = Math.max(widthMs, length / mostPoints)
    const bins = groupBy(life, ({ at }) => Math.floor((at - start) / width))
    return [...bins.values()].map((bin) => ({
      ...bin[0],
      at: median(bin.map(({ at }) => at)),
      value: pick(bin.map(({ value }) => value)),
    }))
  })
}

/** Without the first `warmUpMs` of each life, and without lives of which less than `leastMs` would be left. */
export function warm(points: readonly Point[], warmUpMs: number, leastMs: number): Point[] {
  return livesOf(points).flatMap((life) => {
    const from = (life[0]?.at ?? 0) + warmUpMs
    return (life.at(-1)?.at ?? 0) - from < leastMs ? [] : life.filter(({ at }) => at >= from)
  })
}

/** In the order in which the keys came first. Node 20 has no Map.groupBy. */
function groupBy<T, K>(all: readonly T[], keyOf: (each: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const each of all) {
    const key = keyOf(each)
    const group = groups.get(key)
    if (group) group.push(each)
    else groups.set(key, [each])
  }
  return groups
}
