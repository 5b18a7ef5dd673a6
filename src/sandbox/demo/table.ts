import type { Row } from './rows.js'
import { cutTo, padTo, widthOf } from './width.js'

export interface View {
  elapsedMs: number
  rows: readonly Row[]
  /** The latest incident. */
  news: string
}

export interface Size {
  columns: number
  rows: number
}

export type Paint = (style: Style, text: string) => string
export type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'cyan'

// Select graphic rendition: ECMA-48, 8.3.117.
const codes: Record<Style, number> = { bold: 1, dim: 2, green: 32, yellow: 33, cyan: 36 }

export const colours: Paint = (style, text) => `\u001b[${codes[style]}m${text}\u001b[0m`
export const noColours: Paint = (_style, text) => text

const columnsOf = { candidate: 10, customer: 9, about: 26, state: 22 }
/** It takes what is left over. */
const barColumns = { least: 8, most: 30 }
/** Title, a blank line before and after the orders, what does not fit, news. */
const linesAround = 5

/** The table as lines that fit into a terminal of this size. */
export function renderTable(view: View, size: Size, paint: Paint): string[] {
  const room = Math.max(1, size.rows - 1 - linesAround)
  const shown = chooseRows(view.rows, room)
  return [
    title(view, size.columns - 1, paint),
    '',
    ...shown.map((row) => renderRow(row, size.columns - 1, paint)),
    paint('dim', cutTo(othersOf(view.rows, shown), size.columns - 1)),
    paint('yellow', cutTo(view.news === '' ? '' : ` ! ${view.news}`, size.columns - 1)),
  ]
}

function title({ elapsedMs, rows }: View, columns: number, paint: Paint): string {
  const of = (phase: Row['phase']) => rows.filter((row) => row.phase === phase).length
  const seconds = (elapsedMs / 1000).toFixed(1).padStart(5)
  const text = ` bgc-bridge demo ${seconds} s   ${of('ended')} ended, ${of('open')} open, ${of('to come')} to come`
  return paint('bold', cutTo(text, columns))
}

/** In a low terminal those that have ended give way first, then those to come. */
function chooseRows(rows: readonly Row[], room: number): readonly Row[] {
  let surplus = rows.length - room
  let kept = [...rows]
  for (const phase of ['ended', 'to come', 'open'] as const) {
    kept = kept.filter((row) => row.phase !== phase || surplus-- <= 0)
  }
  return kept
}

function othersOf(rows: readonly Row[], shown: readonly Row[]): string {
  return rows.length === shown.length ? '' : `   and ${rows.length - shown.length} more, which do not fit here`
}

function renderRow(row: Row, columns: number, paint: Paint): string {
  const { candidate, customer, about, state } = columnsOf
  const words = `  ${padTo(row.candidate, candidate)} ${padTo(row.customer, customer)}${padTo(row.about, about)} `
  const rest = columns - widthOf(words)
  if (rest < barColumns.least) return paint(styleOf(row), cutTo(words, columns))
  const bar = Math.min(barColumns.most, Math.max(barColumns.least, rest - state))
  const end = paint(styleOf(row), cutTo(` ${row.state}`, rest - bar))
  return `${row.phase === 'to come' ? paint('dim', words) : words}${renderBar(row, bar, paint)}${end}`
}

function styleOf({ phase, state }: Pick<Row, 'phase' | 'state'>): Style {
  if (phase === 'to come') return 'dim'
  if (phase === 'open') return 'cyan'
  return state === 'completed' ? 'green' : 'yellow'
}

/** Full where Feishu has accepted it, half where only the vendor has done it. */
function renderBar({ steps, atVendor, inFeishu, phase, state }: Row, columns: number, paint: Paint): string {
  const cells = (count: number) => Math.min(columns, Math.round((count / steps) * columns))
  const full = state === 'completed' || state === 'stopped by vendor' ? columns : cells(inFeishu)
  const half = phase === 'ended' ? 0 : Math.max(0, cells(atVendor) - full)
  const bar = '█'.repeat(full)
  const rest = `${'▒'.repeat(half)}${'░'.repeat(columns - full - half)}`
  return paint(styleOf({ phase, state }), bar) + paint('dim', rest)
}
