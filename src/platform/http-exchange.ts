import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { reset } from './http-agents.js'
import type { Deadline, HttpAnswer, HttpRequest } from './http-call.js'
import type { Route } from './http-routes.js'

export interface Ended {
  answer: HttpAnswer
  /** The server closed a kept connection before any answer. */
  stale: boolean
}

interface Means {
  route: Route
  deadline: Deadline
  maxAnswerBytes: number
  fresh: boolean
}

/** One request on one connection. The first thing that happens to it decides; whatever follows is ignored. */
export class Exchange {
  readonly answer: Promise<Ended>
  readonly #request: HttpRequest
  readonly #means: Means
  /** Ends a connection that is still being made. A kept connection outlives this call, so each has its own. */
  readonly #givenUp = new AbortController()
  #settle: (ended: Ended) => void = () => undefined
  #wire: ClientRequest | undefined
  #mayHaveLeft = false
  #answering = false
  #refusedByProxy: number | undefined

  constructor(request: HttpRequest, means: Means) {
    this.#request = request
    this.#means = means
    this.answer = new Promise((resolve) => {
      this.#settle = resolve
    })
    if (means.deadline.signal.aborted) this.#failed('nothing was sent')
    else this.#start()
  }

  #start(): void {
    const { signal } = this.#means.deadline
    try {
      this.#wire = this.#write()
    } catch (error) {
      this.#failed(`the request cannot be made (${codeOf(error)})`)
      return
    }
    const giveUp = () => {
      this.#failed(`${this.#mayHaveLeft ? 'no complete answer' : 'no connection'} ${String(signal.reason)}`)
      this.#drop()
    }
    signal.addEventListener('abort', giveUp, { once: true })
    void this.answer.then(() => signal.removeEventListener('abort', giveUp))
  }

  #write(): ClientRequest {
    const { method, url, headers = {}, body = '' } = this.#request
    const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const { route, fresh } = this.#means
    const wire = route.open({ method, url, headers: { ...headers, ...length }, givenUp: this.#givenUp.signal, fresh })
    wire.on('proxyConnect', (tunnel: { statusCode: number }) => {
      if (tunnel.statusCode !== 200) this.#refusedByProxy = tunnel.statusCode
    })
    wire.on('socket', (socket) => this.#watch(wire, socket))
    wire.on('error', (error) => this.#broken(wire, error))
    wire.on('response', (response) => this.#receive(response))
    wire.end(body)
    return wire
  }

  /** Node holds a request back until its connection stands, for TLS until the certificate was accepted. */
  #watch(wire: ClientRequest, socket: Socket): void {
    const stands = wire.reusedSocket || (!this.#means.route.secure && !socket.connecting)
    const left = () => {
      this.#mayHaveLeft = true
    }
    if (stands) left()
    else socket.once(this.#means.route.secure ? 'secureConnect' : 'connect', left)
  }

  #broken(wire: ClientRequest, error: Error): void {
    const code = codeOf(error)
    const stale = wire.reusedSocket && !this.#answering && (code === 'ECONNRESET' || code === 'EPIPE')
    if (!this.#mayHaveLeft) this.#failed(`no connection (${code})`)
    else if (this.#answering) this.#failed(`the answer broke off (${code})`)
    else this.#failed(`the connection broke before an answer (${code})`, stale)
  }

  #receive(response: IncomingMessage): void {
    this.#answering = true
    response.on('error', (error) => this.#failed(`the answer broke off (${codeOf(error)})`))
    const refused = this.#refusedByProxy ?? (this.#means.route.proxied ? proxyRefusal(response) : undefined)
    if (refused !== undefined) this.#notSent(`the proxy refused the call (${refused})`)
    this.#collect(response)
  }

  #collect(response: IncomingMessage): void {
    const chunks: Buffer[] = []
    let size = 0
    response.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > this.#means.maxAnswerBytes) this.#tooLarge()
      else chunks.push(chunk)
    })
    response.on('end', () => {
      if (response.complete) this.#complete(response, Buffer.concat(chunks))
      else this.#failed('the answer broke off')
    })
  }

  #complete(response: IncomingMessage, body: Buffer): void {
    const { statusCode = 0, headers } = response
    this.#settle({ answer: { kind: 'answer', status: statusCode, headers, body }, stale: false })
  }

  #tooLarge(): void {
    const message = this.#about(`the answer has more than ${this.#means.maxAnswerBytes} bytes`)
    this.#settle({ answer: { kind: 'too_large', message }, stale: false })
    this.#drop()
  }

  #notSent(what: string): void {
    this.#settle({ answer: { kind: 'not_sent', message: this.#about(what) }, stale: false })
  }

  #failed(what: string, stale = false): void {
    if (!this.#mayHaveLeft) this.#notSent(what)
    else this.#settle({ answer: { kind: 'lost', message: this.#about(what) }, stale })
  }

  /** The reset comes first: the abort would close the socket in the ordinary way, with what it still has to send. */
  #drop(): void {
    const socket = this.#wire?.socket
    if (socket) reset(socket)
    this.#givenUp.abort()
    this.#wire?.destroy()
  }

  #about(what: string): string {
    return `${this.#request.url.origin}: ${what}`
  }
}

/** A proxy that asks for credentials has passed nothing on. */
function proxyRefusal(response: IncomingMessage): number | undefined {
  return response.statusCode === 407 ? 407 : undefined
}

/** The code alone: messages of errors may quote what was sent. */
function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'unknown'
}
