import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pipe } from './pipe.js'

/**
 * `broken`: connections are reset, and so are new ones. `silent`: half-open, what comes is taken and goes nowhere, for
 * ever on the connections that lived then. `slow`: every chunk arrives later. `torn`: reset in the middle of an answer.
 */
export type LinkState = 'open' | 'broken' | 'silent' | 'slow' | 'torn'

/** Sees what passes; may end the sender's life at a step. */
export interface Watcher {
  /** False: it does not go on, and neither does anything else on this connection. */
  onRequest(bytes: Buffer, way: object): boolean
  onAnswer(bytes: Buffer, way: object): boolean
}

interface Way {
  inside: Socket
  outside: Socket
  /** A stream that lost bytes cannot go on. */
  lost: boolean
  /** The sender ended it, or gave it up. */
  left: boolean
}

/** The network between two parts: a TCP proxy that can do what networks do. */
export class Link {
  readonly name: string
  port = 0
  /** How often something of a call was kept back, refused or lost. */
  bites = 0
  /** Connections that the other side ended, and not the sender. */
  cut = 0
  /** When that happened, ms since 1970: what was answered before may not have been heard. */
  readonly bittenAt: number[] = []
  watcher: Watcher | undefined
  #targets: readonly number[]
  #state: LinkState = 'open'
  #delayMs = 0
  #server: Server | undefined
  #next = 0
  readonly #ways = new Set<Way>()
  readonly #resetting = new WeakSet<Socket>()

  constructor(name: string, targets: readonly number[]) {
    this.name = name
    this.#targets = targets
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async start(): Promise<this> {
    await this.#listen()
    return this
  }

  /** Where connections lead from now on; one after the other where there are several. */
  aim(targets: readonly number[]): void {
    this.#targets = targets
  }

  set(state: LinkState, delayMs = 0): void {
    this.#state = state
    this.#delayMs = state === 'slow' ? delayMs : 0
    if (state === 'broken') this.#breakAll()
    if (state === 'silent') for (const way of this.#ways) way.lost = true
  }

  /** Ends what goes over it, as the death of either side would. */
  reset(): void {
    for (const way of this.#ways) this.#end(way)
  }

  async stop(): Promise<void> {
    await this.#shut()
  }

  async #listen(): Promise<void> {
    const server = createServer((inside) => this.#accept(inside))
    server.listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    this.port = address.port
    this.#server = server
  }

  async #shut(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    const closed = once(server, 'close')
    server.close()
    this.reset()
    await closed
  }

  #breakAll(): void {
    for (const way of this.#ways) {
      this.#bite()
      this.#end(way)
    }
  }

  #accept(inside: Socket): void {
    const targets = this.#targets
    const target = targets[this.#next++ % targets.length]
    if (target === undefined || this.#state === 'broken') {
      this.#bite()
      inside.on('error', () => undefined).resetAndDestroy()
      return
    }
    const outside = connect(target, '127.0.0.1')
    const way: Way = { inside, outside, lost: this.#state === 'silent', left: false }
    this.#ways.add(way)
    const there = new Pipe(outside)
    const back = new Pipe(inside)
    inside.setNoDelay(true).on('data', (bytes: Buffer) => this.#pass(way, there, bytes, 'request'))
    outside.setNoDelay(true).on('data', (bytes: Buffer) => this.#pass(way, back, bytes, 'answer'))
    inside.on('end', () => {
      way.left = true
      there.end()
    })
    outside.on('end', () => back.end())
    inside.on('error', () => this.#reset(outside))
    // The server's end is away or broke off; so does ours.
    outside.on('error', () => this.#reset(inside))
    inside.on('close', () => {
      way.left = true
      this.#ways.delete(way)
      if (!this.#resetting.has(outside)) outside.destroy()
    })
    outside.on('close', () => {
      if (!way.left) this.cut += 1
      back.end()
    })
  }

  #pass(way: Way, pipe: Pipe, bytes: Buffer, what: 'request' | 'answer'): void {
    if (way.lost) {
      this.#bite()
      return
    }
    const goesOn = what === 'request' ? this.watcher?.onRequest(bytes, way) : this.watcher?.onAnswer(bytes, way)
    if (goesOn === false) {
      way.lost = true
      return
    }
    if (this.#state === 'torn' && what === 'answer') {
      this.#tear(way, bytes)
      return
    }
    if (this.#delayMs > 0) this.#bite()
    pipe.write(bytes, this.#delayMs)
  }

  #tear(way: Way, bytes: Buffer): void {
    this.#bite()
    way.lost = true
    way.inside.write(bytes.subarray(0, Math.ceil(bytes.length / 2)))
    // So that the half is out before the reset takes it back.
    void sleep(2).then(() => this.#end(way))
  }

  #end({ inside, outside }: Way): void {
    this.#reset(inside)
    this.#reset(outside)
  }

  /**
   * libuv resets nothing while a shutdown is under way, and Node would forget the handle open, for which an exit waits for
   * ever (uv_tcp_close_reset, UV_EINVAL). A reset shuts down by itself, and is left alone until then.
   */
  #reset(socket: Socket): void {
    if (this.#resetting.has(socket)) return
    this.#resetting.add(socket)
    const isShuttingDown = socket.writableEnded && !socket.writableFinished
    if (socket.connecting || isShuttingDown) socket.destroy()
    else socket.resetAndDestroy()
  }

  #bite(): void {
    this.bites += 1
    this.bittenAt.push(Date.now())
  }
}

export function startLink(name: string, targets: readonly number[]): Promise<Link> {
  return new Link(name, targets).start()
}
