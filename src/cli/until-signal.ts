import { constants } from 'node:os'

/** npm passes on the Ctrl-C that the terminal has given to every process already: signals this close are one. */
const togetherMs = 500

/** Settles at the first of the signals. Who asks again later does not wait for an orderly end: the process exits. */
export function untilSignal(signals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT']): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAt: number | undefined
    const told = (signal: NodeJS.Signals) => {
      firstAt ??= performance.now()
      if (performance.now() - firstAt > togetherMs) process.exit(128 + constants.signals[signal])
      resolve(signal)
    }
    for (const signal of signals) process.on(signal, told)
  })
}
