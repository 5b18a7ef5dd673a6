import type { Started } from './lifetime.js'
import type { Logger } from './logger.js'

export interface Loop extends Started {
  /** Runs again soon; many wakes before the next run are one. */
  wake(): void
}

export interface LoopOptions {
  name: string
  /** Longest pause between two runs, in ms: what no wake announced is found by then. */
  everyMs: number
  /** One turn. Answers how long to rest in ms, 0 for not at all; the rest ends early when woken. */
  turn(signal: AbortSignal): Promise<number>
  log: Logger
  onFailure?: (name: string) => void
}

/** Calls `turn` for ever, one at a time. A turn that throws is logged, counted and tried again after a pause. */
export function startLoop(options: LoopOptions): Loop {
  const ended = new AbortController()
  let woken = false
  let endRest: (() => void) | undefined
  const wake = () => {
    woken = true
    endRest?.()
  }
  const rest = (ms: number) =>
    new Promise<void>((resolve) => {
      if (woken || ended.signal.aborted) return resolve()
      const timer = setTimeout(resolve, ms)
      endRest = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  const running = (async () => {
    let failures = 0
    while (!ended.signal.aborted) {
      woken = false
      const restMs = await options.turn(ended.signal).then(
        (ms) => {
          failures = 0
          return Math.min(ms, options.everyMs)
        },
        (failure: unknown) => {
          failures += 1
          options.onFailure?.(options.name)
          options.log.error({ event: 'loop.failed', loop: options.name, err: failure }, 'a turn failed')
          return Math.min(options.everyMs, 100 * 2 ** Math.min(failures, 6))
        },
      )
      if (restMs > 0) await rest(restMs)
    }
  })()
  return {
    wake,
    stop: async () => {
      ended.abort()
      endRest?.()
      await running
    },
  }
}
