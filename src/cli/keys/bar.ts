import type { Io } from '../io.js'

const showEveryMs = 200
const width = 30

/** A bar at a terminal; nothing where nobody looks. */
export function showBar(io: Io, unit: string) {
  let shownAt = Number.NEGATIVE_INFINITY
  return {
    show: (done: number, of: number) => {
      if (io.isTerminal !== true || performance.now() - shownAt < showEveryMs) return
      shownAt = performance.now()
      const full = of === 0 ? width : Math.floor((width * done) / of)
      io.err(`\r[${'#'.repeat(full)}${'.'.repeat(width - full)}] ${done} of ${of} ${unit}`)
    },
    clear: () => {
      if (shownAt > 0) io.err('\r\x1b[K')
    },
  }
}
