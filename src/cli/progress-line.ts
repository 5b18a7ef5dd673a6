import type { Io } from './io.js'

const showEveryMs = 200

/** One line at a terminal that changes; nothing where nobody looks. */
export function showLine(io: Io) {
  let shownAt = Number.NEGATIVE_INFINITY
  return {
    show: (text: string) => {
      if (io.isTerminal !== true || performance.now() - shownAt < showEveryMs) return
      shownAt = performance.now()
      io.err(`\r${text}\x1b[K`)
    },
    clear: () => {
      if (shownAt > 0) io.err('\r\x1b[K')
    },
  }
}
