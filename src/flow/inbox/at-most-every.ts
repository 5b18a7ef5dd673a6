import type { Started } from '../../platform/lifetime.js'

/** Tells at once, and whatever comes within so many ms of that together at their end, or when it is stopped. */
export function atMostEvery(ms: number, tell: () => void): Started & { tell(): void } {
  let resting: NodeJS.Timeout | undefined
  let isDue = false
  const tellNow = () => {
    isDue = false
    resting = setTimeout(() => {
      resting = undefined
      if (isDue) tellNow()
    }, ms)
    tell()
  }
  return {
    tell: () => {
      if (resting === undefined) tellNow()
      else isDue = true
    },
    stop: async () => {
      clearTimeout(resting)
      if (isDue) tell()
    },
  }
}
