/** How much is measured. */
export interface Settings {
  rounds: number
  /** Names of contenders that are left out. */
  without: readonly string[]
  restRounds: number
  restMs: number
  commands: readonly string[]
}

export const full: Settings = {
  rounds: 5,
  without: [],
  restRounds: 5,
  restMs: 10_000,
  commands: ['--version', '--help', 'orders ls', 'doctor'],
}

export const quick: Settings = {
  rounds: 2,
  without: ['poller', 'sync', 'all roles, empty database', 'embedded, from nothing', 'embedded, data folder there'],
  restRounds: 1,
  restMs: 500,
  commands: ['--help'],
}
