export class ConfigError extends Error {
  readonly complaints: readonly string[]

  constructor(complaints: readonly string[]) {
    super(`The configuration cannot be used:\n${complaints.map((complaint) => `  - ${complaint}`).join('\n')}`)
    this.name = 'ConfigError'
    this.complaints = complaints
  }
}

/** Gathers what is wrong, so that all of it is told at once. */
export class Complaints {
  readonly #all: string[] = []

  readonly add = (complaint: string): void => {
    this.#all.push(complaint)
  }

  /** Throws one ConfigError when there is any. */
  refuse(): void {
    if (this.#all.length > 0) throw new ConfigError(this.#all)
  }
}
