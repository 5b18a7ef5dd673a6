import type { Socket } from 'node:net'

interface Chunk {
  /** `null`: the end of the stream. */
  bytes: Buffer | null
  at: number
}

/** One direction of a connection: keeps the order of what it delays. */
export class Pipe {
  readonly #to: Socket
  readonly #chunks: Chunk[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(to: Socket) {
    this.#to = to
    to.once('close', () => clearTimeout(this.#timer))
  }

  write(bytes: Buffer, delayMs: number): void {
    if (delayMs === 0 && this.#chunks.length === 0) this.#to.write(bytes)
    else this.#later({ bytes, at: performance.now() + delayMs })
  }

  end(): void {
    if (this.#chunks.length === 0) this.#to.end()
    else this.#later({ bytes: null, at: 0 })
  }

  #later(chunk: Chunk): void {
    this.#chunks.push(chunk)
    if (this.#chunks.length === 1) this.#wait(chunk)
  }

  #wait({ at }: Chunk): void {
    this.#timer = setTimeout(() => this.#flush(), Math.max(0, at - performance.now()))
  }

  #flush(): void {
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      if (chunk.at > performance.now()) {
        this.#wait(chunk)
        return
      }
      this.#chunks.shift()
      if (this.#to.destroyed) continue
      if (chunk.bytes === null) this.#to.end()
      else this.#to.write(chunk.bytes)
    }
  }
}
