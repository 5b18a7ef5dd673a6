import { median } from '../support/figures.js'
import type { Point } from './slope.js'
import type { Span } from './verdict.js'

const mostColumns = 64
const bars = '▁▂▃▄▅▆▇█'

/** The time that lines show, ms, and in how many columns. */
export interface Scale {
  from: number
  to: number
  columns: number
}

export function scaleOf(times: readonly number[]): Scale {
  const from = times[0] ?? 0
  // Less than one sample for each column would leave gaps that mean nothing.
  return {
    from,
    to: times.at(-1) ?? from + 1,
    columns: Math.max(1, Math.min(mostColumns, Math.floor(times.length / 1.5))),
  }
}

/** One line: the middle of each column's values between the least and the most; a gap where there are none. */
export function chart(name: string, points: readonly Point[], scale: Scale, digits = 0): string {
  const values = inColumns(points, scale)
  const known = values.filter((value) => !Number.isNaN(value))
  if (known.length === 0) return `${name.padEnd(26)} nothing`
  const least = Math.min(...known)
  const most = Math.max(...known)
  const line = values.map((value) => (Number.isNaN(value) ? ' ' : barOf(value, least, most))).join('')
  return `${name.padEnd(26)} ${line} ${least.toFixed(digits)}–${most.toFixed(digits)}`
}

/** Marks the columns in which faults were. */
export function marks(name: string, spans: readonly Span[], { from, to, columns }: Scale): string {
  const width = (to - from) / columns
  const line = Array.from({ length: columns }, (_, index) => {
    const begin = from + index * width
    return spans.some((span) => span.from < begin + width && span.to >= begin) ? '×' : '·'
  })
  return `${name.padEnd(26)} ${line.join('')}`
}

function inColumns(points: readonly Point[], { from, to, columns }: Scale): number[] {
  const width = (to - from) / columns
  const cells = Array.from({ length: columns }, (): number[] => [])
  for (const { at, value } of points) cells[Math.min(columns - 1, Math.floor((at - from) / width))]?.push(value)
  return cells.map((values) => median(values))
}

function barOf(value: number, least: number, most: number): string {
  const share = most === least ? 0 : (value - least) / (most - least)
  return bars[Math.min(bars.length - 1, Math.floor(share * bars.length))] ?? ' '
}
