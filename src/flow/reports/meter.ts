import { Transform } from 'node:stream'

/** Why a body was not passed on to its end. */
export class BrokenOff extends Error {
  override readonly name = 'BrokenOff'
  readonly reason: 'too_large' | 'wrong_length' | 'stalled' | 'took_too_long'

  constructor(reason: BrokenOff['reason']) {
    super(`a report was broken off: ${reason}`)
    this.reason = reason
  }
}

export interface MeterTerms {
  mostBytes: number
  /** What the head said; a body of another length is a broken one. */
  length?: number
  /** Neither side moved for so long. */
  stalledMs: number
  wholeMs: number
}

/** Passes a body on, chunk by chunk as its reader takes them, and fails where it is not what its head said or goes on for too long. */
export class Meter extends Transform {
  bytes = 0
  readonly #terms: MeterTerms
  readonly #whole: NodeJS.Timeout
  #stalled: NodeJS.Timeout

  constructor(terms: MeterTerms) {
    super()
    this.#terms = terms
    this.#whole = setTimeout(() => this.destroy(new BrokenOff('took_too_long')), terms.wholeMs)
    this.#stalled = this.#watch()
  }

  override _transform(chunk: Buffer, _encoding: string, done: (failure: Error | null, chunk?: Buffer) => void): void {
    this.#stalled.refresh()
    this.bytes += chunk.length
    const { mostBytes, length = mostBytes } = this.#terms
    if (this.bytes > mostBytes) done(new BrokenOff('too_large'))
    else if (this.bytes > length) done(new BrokenOff('wrong_length'))
    else done(null, chunk)
  }

  override _flush(done: (failure: Error | null) => void): void {
    const { length = this.bytes } = this.#terms
    done(this.bytes === length ? null : new BrokenOff('wrong_length'))
  }

  override _read(size: number): void {
    this.#stalled.refresh()
    super._read(size)
  }

  override _destroy(failure: Error | null, done: (failure?: Error | null) => void): void {
    clearTimeout(this.#whole)
    clearTimeout(this.#stalled)
    super._destroy(failure, done)
  }

  #watch(): NodeJS.Timeout {
    return setTimeout(() => this.destroy(new BrokenOff('stalled')), this.#terms.stalledMs)
  }
}
