import type { Started } from './lifetime.js'
import type { Logger } from './logger.js'

export interface Loop extends Started {
  /** Runs again soon; many wakes before the next run are one. */
  wake: () => void
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

/**
 * Calls `turn` for ever, one at a time. A turn that throws is logged, counted and tried again after a pause that no
 * wake shortens: what is broken is not mended by haste.
 */
export function startLoop(options: LoopOptions): Loop {
  const ended = new AbortController()
  let woken = false
  let endRest: (() => void) | undefined
  const wake = () => {
    woken = true
    endRest?.()
  }
  const rest = (ms: number, mayBeWoken: boolean) =>
    new Promise<void>((resolve) => {
      if ((mayBeWoken && woken) || ended.signal.aborted) return resolve()
      const finish = () => {
        clearTimeout(timer)
        ended.signal.removeEventListener('abort', finish)
        endRest = undefined
        resolve()
      }
      const timer = setTimeout(finish, ms)
      ended.signal.addEventListener('abort', finish)
      if (mayBeWoken) endRest = finish
    })
  const running = (async () => {
    let failures = 0
    while (!ended.signal.aborted) {
      woken = false
      try {
        const restMs = Math.min(await options.turn(ended.signal), options.everyMs)
        failures = 0
        if (restMs > 0) await rest(restMs, true)
      } catch (failure) {
        failures += 1
        options.onFailure?.(options.name)
        options.log.error({ event: 'loop.failed', loop: options.name, err: failure }, 'a turn failed')
        await rest(Math.min(options.everyMs, 100 * 2 ** Math.min(failures, 6)), false)
      }
    }
  })()
  return {
    wake,
    stop: async () => {
      ended.abort()
      await running
    },
  }
}
