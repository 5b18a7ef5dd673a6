/** How much is measured. */
export interface Settings {
  rounds: number
  /** Names of contenders that are left out. */
  without: readonly string[]
  restMs: number
  commands: readonly string[]
}

export const full: Settings = {
  rounds: 5,
  without: [],
  restMs: 10_000,
  commands: ['--version', '--help', 'orders ls', 'doctor'],
}

export const quick: Settings = {
  rounds: 2,
  without: ['poller', 'sync', 'embedded, from nothing', 'embedded, data folder there'],
  restMs: 500,
  commands: ['--help', 'orders ls'],
}
