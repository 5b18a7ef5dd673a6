import type { z } from 'zod'
import type { quotas } from '../api/quotas.js'
import { localTime } from './local-time.js'
import { gridOf, type SpanName, spans } from './spans.js'

export type Series = z.output<typeof quotas>['series'][number]
type Point = Series['points'][number]

export interface Totals {
  calls: number
  delivered: number
  limited: number
  /** Of the fullest minute. */
  peak: number
}

export function totalsOf(points: readonly Point[]): Totals {
  const totals = { calls: 0, delivered: 0, limited: 0, peak: 0 }
  for (const { calls, delivered, limited, peak } of points) {
    totals.calls += calls
    totals.delivered += delivered
    totals.limited += limited
    totals.peak = Math.max(totals.peak, peak)
  }
  return totals
}

/** So many calls fit into a minute when all windows are kept to. */
export function minuteLimitOf(windows: Series['windows']): number {
  return Math.min(...windows.map(({ limit, window_ms: ms }) => Math.floor((limit * 60_000) / ms)))
}

/** Most used first. */
export function ranked(series: readonly Series[]): Array<Series & { totals: Totals }> {
  return series
    .map((each) => ({ ...each, totals: totalsOf(each.points) }))
    .toSorted((one, other) => other.totals.calls - one.totals.calls)
}

/** What a chart draws: the fullest minute of each step and its 429s, nought where nothing was called. */
export function drawnOf(points: readonly Point[], span: SpanName, now: number) {
  const { from, step, count } = gridOf(span, now)
  const peaks = Array<number>(count).fill(0)
  const limited = Array<number>(count).fill(0)
  for (const point of points) {
    const index = Math.round((Date.parse(point.at) - from) / step)
    if (index < 0 || index >= count) continue
    peaks[index] = point.peak
    limited[index] = point.limited
  }
  return { from: from / 1000, step: step / 1000, peaks, limited }
}

/** The same as lines to read, newest first, by minutes, hours or days of the time zone. */
export function toldOf(points: readonly Point[], span: SpanName, timeZone: string) {
  const { told } = spans[span]
  const format = localTime(timeZone, told === 'day' ? 'day' : 'minute')
  const groups = new Map<string, Point[]>()
  for (const point of points) {
    const text = format.format(new Date(point.at))
    const label = told === 'hour' ? `${text.slice(0, -2)}00` : text
    groups.set(label, [...(groups.get(label) ?? []), point])
  }
  return [...groups].map(([label, each]) => ({ label, ...totalsOf(each) })).toReversed()
}
