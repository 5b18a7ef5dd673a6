const signals = ['SIGTERM', 'SIGINT'] as const

/** Settles at the first of them; a second one ends the process at once, as it does by default. */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const told = (signal: NodeJS.Signals) => {
      for (const each of signals) process.off(each, told)
      resolve(signal)
    }
    for (const each of signals) process.on(each, told)
  })
}
