import type { Row } from './rows.js'
import { colours, noColours, type Paint, renderTable, type Size, type View } from './table.js'
import { padTo } from './width.js'

/** Where the demo is watched. */
export interface Screen {
  show(view: View): void
  /** Leaves what was shown, and the cursor below it. */
  close(): void
}

/** What of process.stdout is used. */
export interface Terminal {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
  rows?: number
  on?(event: 'resize', listener: () => void): unknown
  off?(event: 'resize', listener: () => void): unknown
}

export function openScreen(terminal: Terminal, { dumb, colour }: { dumb: boolean; colour: boolean }): Screen {
  if (terminal.isTTY !== true || dumb) return plainScreen(terminal)
  return liveScreen(terminal, colour ? colours : noColours)
}

const hideCursor = '\u001b[?25l'
const showCursor = '\u001b[?25h'
/** Terminals that know it paint all between the two at once: https://gist.github.com/christianparpart/d8a62cc1ab659194337d73e399004036 */
const beginFrame = '\u001b[?2026h'
const endFrame = '\u001b[?2026l'
const clearRight = '\u001b[K'
const clearBelow = '\u001b[J'
const clearAll = '\u001b[2J\u001b[H'

/** Repaints in place, and only the lines that changed. */
function liveScreen(terminal: Terminal, paint: Paint): Screen {
  let painted: string[] = []
  let restart = ''
  let open = false
  const onResize = () => {
    // The terminal has wrapped what was there in its own way: nobody knows where the cursor is.
    painted = []
    restart = clearAll
  }
  terminal.on?.('resize', onResize)
  return {
    show: (view) => {
      const lines = renderTable(view, sizeOf(terminal), paint)
      const up = painted.length > 0 ? `\u001b[${painted.length}A` : ''
      const body = lines.map((line, at) => (line === painted[at] ? '\n' : `${line}${clearRight}\n`)).join('')
      terminal.write(`${beginFrame}${open ? '' : hideCursor}${restart}${up}\r${body}${clearBelow}${endFrame}`)
      painted = lines
      restart = ''
      open = true
    },
    close: () => {
      terminal.off?.('resize', onResize)
      if (open) terminal.write(showCursor)
      open = false
    },
  }
}

function sizeOf({ columns = 80, rows = 24 }: Terminal): Size {
  // Some terminals do not know their size and say 0.
  return { columns: columns || 80, rows: rows || 24 }
}

/** One line for each change, for logs and pipes. */
function plainScreen(terminal: Terminal): Screen {
  const seen = new Map<number, string>()
  let news = ''
  const tell = (elapsedMs: number, text: string) => {
    terminal.write(`${(elapsedMs / 1000).toFixed(1).padStart(6)} s  ${text}\n`)
  }
  return {
    show: ({ elapsedMs, rows, news: latest }) => {
      if (latest !== news && latest !== '') tell(elapsedMs, `! ${latest}`)
      news = latest
      for (const [at, row] of rows.entries()) {
        if (row.phase !== 'to come' && seen.get(at) !== row.state) tell(elapsedMs, plainRow(row))
        seen.set(at, row.state)
      }
    },
    close: () => undefined,
  }
}

function plainRow({ candidate, customer, about, state }: Row): string {
  return `${padTo(candidate, 10)} ${padTo(customer, 9)}${padTo(about, 27)}${state}`
}
