import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Row } from '../../src/sandbox/demo/rows.js'
import { openScreen } from '../../src/sandbox/demo/screens.js'
import { noColours, renderTable, type View } from '../../src/sandbox/demo/table.js'
import { cutTo, padTo, widthOf } from '../../src/sandbox/demo/width.js'

const esc = '\u001b'

const row: Row = {
  candidate: '林晓',
  customer: '晨星科技',
  about: 'plain',
  phase: 'open',
  state: 'stage 1 of 3',
  steps: 4,
  atVendor: 2,
  inFeishu: 1,
}

function view(rows: Row[], more: Partial<View> = {}): View {
  return { elapsedMs: 1234, rows, news: '', ...more }
}

/** A terminal of this size that understands what the screen sends, line by line. */
function fakeTerminal({ columns = 80, rows = 24, isTTY = true } = {}) {
  const written: string[] = []
  const lines: string[] = []
  let at = 0
  const listeners = new Set<() => void>()
  const terminal = {
    columns,
    rows,
    isTTY,
    write: (text: string) => {
      written.push(text)
      const up = /^\[(\d+)A/m.exec(text.replaceAll(esc, '\n'))
      if (up) at -= Number(up[1])
      if (text.includes('\u001b[2J')) {
        lines.length = 0
        at = 0
      }
      for (const line of text.split('\n').slice(0, -1)) {
        const plain = stripVTControlCharacters(line).replace('\r', '')
        if (line.includes('\u001b[K')) lines[at] = plain
        at++
      }
    },
    on: (_event: 'resize', listener: () => void) => listeners.add(listener),
    off: (_event: 'resize', listener: () => void) => listeners.delete(listener),
  }
  const resize = (size: { columns: number; rows: number }) => {
    Object.assign(terminal, size)
    for (const listener of listeners) listener()
  }
  return { terminal, written, lines, resize, listeners }
}

describe('widths', () => {
  it('counts two columns for Chinese, Korean, full-width and emoji, none for what combines', () => {
    expect(['ab', '林晓', '（a）', '한국', '🙂', 'e\u0301', 'a\u200db', '█▒░'].map(widthOf)).toEqual([
      2, 4, 5, 4, 2, 1, 2, 3,
    ])
  })

  it('cuts and fills to the column, also in the middle of a wide character', () => {
    expect(padTo('林晓', 6)).toBe('林晓  ')
    expect(cutTo('林晓阳', 5)).toBe('林晓…')
    expect(padTo('林晓阳', 4)).toBe('林… ')
    for (const columns of [1, 2, 3, 4, 5, 6, 7]) expect(widthOf(padTo('a林b晓c', columns))).toBe(columns)
  })
})

describe('the table', () => {
  const names = ['林晓', 'Tom Becker', '欧阳若曦', '한지민', 'Ayşe', '很长很长很长的名字']
  const bars = (lines: string[]) =>
    lines.filter((line) => /[█▒░]/.test(line)).map((line) => widthOf(line.slice(0, line.search(/[█▒░]/))))

  it.each([80, 100, 200])('keeps every bar in one column, and every line within %i', (columns) => {
    const rows = names.map((candidate) => ({ ...row, candidate }))
    const lines = renderTable(view(rows, { news: '晨星'.repeat(90) }), { columns, rows: 40 }, noColours)
    expect(new Set(bars(lines)).size).toBe(1)
    expect(bars(lines)).toHaveLength(names.length)
    expect(Math.max(...lines.map(widthOf))).toBeLessThan(columns)
  })

  it.each([10, 40, 60])('stays within a narrow terminal of %i columns', (columns) => {
    const lines = renderTable(view([row]), { columns, rows: 24 }, noColours)
    expect(Math.max(...lines.map(widthOf))).toBeLessThan(columns)
  })

  it('fits into a low terminal: what has ended gives way first, then what is to come', () => {
    const of = (phase: Row['phase'], count: number) =>
      Array.from({ length: count }, () => ({ ...row, phase, state: phase }))
    const rows = [...of('ended', 10), ...of('open', 8), ...of('to come', 6)]
    const lines = renderTable(view(rows), { columns: 80, rows: 24 }, noColours)
    expect(lines.length).toBeLessThan(24)
    expect(lines.filter((line) => line.endsWith('open'))).toHaveLength(8)
    expect(lines.filter((line) => line.includes('░') && line.endsWith('to come'))).toHaveLength(6)
    expect(lines.join('\n')).toContain('and 6 more')
  })

  it('shows what Feishu has in full and what only the vendor has in half', () => {
    const line = renderTable(view([row]), { columns: 80, rows: 24 }, noColours).find((each) => each.includes('林晓'))
    expect(line).toContain('██▒▒░░░░ stage 1 of 3')
  })
})

describe('the live screen', () => {
  it('repaints in place, only what changed, and gives the cursor back', () => {
    const { terminal, written, lines, listeners } = fakeTerminal()
    const screen = openScreen(terminal, { dumb: false, colour: true })
    screen.show(view([row, { ...row, candidate: '陈默' }]))
    screen.show(view([row, { ...row, candidate: '陈默', state: 'completed', phase: 'ended' }]))
    expect(written[1]).not.toContain('林晓')
    expect(lines.filter((line) => line.includes('林晓'))).toHaveLength(1)
    expect(lines.find((line) => line.includes('陈默'))).toContain('completed')
    screen.close()
    screen.close()
    expect(written.join('').match(/\[\?25[lh]/g)).toEqual(['[?25l', '[?25h'])
    expect(listeners.size).toBe(0)
  })

  it('starts over on a clean screen when the terminal gets another size', () => {
    const { terminal, lines, resize } = fakeTerminal()
    const screen = openScreen(terminal, { dumb: false, colour: false })
    screen.show(view([row]))
    resize({ columns: 60, rows: 10 })
    screen.show(view([row]))
    expect(lines.filter((line) => line.includes('林晓'))).toHaveLength(1)
    expect(Math.max(...lines.map(widthOf))).toBeLessThan(60)
  })
})

describe('without a terminal', () => {
  it.each([
    ['a pipe', { isTTY: false }, false],
    ['a dumb terminal', { isTTY: true }, true],
  ])('writes one plain line for each change to %s', (_name, size, dumb) => {
    const { terminal, written } = fakeTerminal(size)
    const screen = openScreen(terminal, { dumb, colour: true })
    const next: Row = { ...row, candidate: '陈默', phase: 'to come', state: 'to come' }
    screen.show(view([row, next]))
    screen.show(view([row, next], { news: 'the vendor is down' }))
    screen.show(view([{ ...row, state: 'stage 2 of 3' }, next], { elapsedMs: 2500 }))
    screen.close()
    expect(written.map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
      ' 1.2 s 林晓 晨星科技 plain stage 1 of 3\n',
      ' 1.2 s ! the vendor is down\n',
      ' 2.5 s 林晓 晨星科技 plain stage 2 of 3\n',
    ])
  })
})
