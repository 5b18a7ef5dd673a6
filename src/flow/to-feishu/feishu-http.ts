import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import type { ProxyChoice } from '../../platform/proxy.js'
import { type CallArguments, createConnections, reset, Withdrawn } from './connections.js'

/**
 * The way to Feishu: one keep-alive pool for a base URL, no redirects, one time limit for the whole call.
 *
 * - `answer`    a complete answer, whatever its status;
 * - `not_sent`  nothing of the request left: trying again is safe;
 * - `withdrawn` `mayWrite` said no, nothing left;
 * - `lost`      bytes left and no complete answer came. The connection is reset, so that nothing arrives later.
 *
 * Messages are ours and name system codes only.
 */
export interface FeishuHttp {
  send(request: HttpRequest, call: HttpCall): Promise<HttpReply>
  stop(): Promise<void>
}

export interface HttpRequest {
  method: string
  url: string
  headers: Record<string, string>
  body?: string
}

export interface HttpCall {
  signal?: AbortSignal
  /** Asked right before the first byte is written, on a connected socket; may be asked more than once for a call. */
  mayWrite?: (() => boolean) | undefined
}

export type HttpReply =
  | { kind: 'answer'; status: number; headers: IncomingHttpHeaders; body: Buffer }
  | { kind: 'not_sent'; message: string }
  | { kind: 'withdrawn' }
  | { kind: 'lost'; message: string; status?: number; headers?: IncomingHttpHeaders }

export interface FeishuHttpOptions {
  baseUrl: string
  timeoutMs?: number
  connectTimeoutMs?: number
  idleMs?: number
  maxAnswerBytes?: number
  proxy?: ProxyChoice | undefined
}

const MiB = 1024 * 1024

export function createFeishuHttp(options: FeishuHttpOptions): FeishuHttp {
  const { timeoutMs = 10_000, connectTimeoutMs = 5_000, idleMs = 4_000, maxAnswerBytes = 5 * MiB } = options
  const base = new URL(options.baseUrl)
  const secure = base.protocol === 'https:'
  const pool = createConnections({ secure, proxy: options.proxy?.(base) ?? null, connectTimeoutMs, idleMs })
  const send = secure ? httpsRequest : httpRequest
  return {
    send: (request, call) => {
      if (call.signal?.aborted)
        return Promise.resolve({ kind: 'not_sent', message: 'the call was ended before it began' })
      if (call.mayWrite?.() === false) return Promise.resolve({ kind: 'withdrawn' })
      return new Exchange(request, call, { timeoutMs, maxAnswerBytes }).run((url, args) =>
        send(url, { ...args, agent: pool.agent }),
      )
    },
    stop: async () => pool.stop(),
  }
}

interface ExchangeLimits {
  timeoutMs: number
  maxAnswerBytes: number
}

class Exchange {
  readonly #request: HttpRequest
  readonly #call: HttpCall
  readonly #limits: ExchangeLimits
  readonly #reply: Promise<HttpReply>
  #settle: (reply: HttpReply) => void = () => undefined
  #sending: ClientRequest | undefined
  #written = false
  #over = false
  #status: { status: number; headers: IncomingHttpHeaders } | undefined

  constructor(request: HttpRequest, call: HttpCall, limits: ExchangeLimits) {
    this.#request = request
    this.#call = call
    this.#limits = limits
    this.#reply = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  async run(open: (url: string, args: CallArguments) => ClientRequest): Promise<HttpReply> {
    const { timeoutMs } = this.#limits
    const timer = setTimeout(() => this.#giveUp(`no complete answer within ${timeoutMs} ms`), timeoutMs)
    const abort = () => this.#giveUp('the call was ended from our side')
    this.#call.signal?.addEventListener('abort', abort, { once: true })
    try {
      this.#start(open)
      return await this.#reply
    } finally {
      this.#over = true
      clearTimeout(timer)
      this.#call.signal?.removeEventListener('abort', abort)
    }
  }

  #start(open: (url: string, args: CallArguments) => ClientRequest): void {
    const { method, url, headers, body } = this.#request
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const args = {
      method,
      headers: { ...headers, 'accept-encoding': 'identity', ...length },
      mayWrite: () => this.#mayWrite(),
    }
    this.#sending = open(url, args)
      .once('socket', () => this.#write())
      .once('response', (response) => this.#read(response))
      .on('error', (error) => this.#fail(error))
  }

  /** The pool hands out connected sockets only, so these bytes leave now. */
  #write(): void {
    if (!this.#mayWrite()) {
      this.#settle({ kind: 'withdrawn' })
      this.#sending?.destroy()
      return
    }
    this.#written = true
    this.#sending?.end(this.#request.body)
  }

  #mayWrite(): boolean {
    return !this.#over && this.#call.mayWrite?.() !== false
  }

  #read(response: IncomingMessage): void {
    const chunks: Buffer[] = []
    let bytes = 0
    this.#status = { status: response.statusCode ?? 0, headers: response.headers }
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > this.#limits.maxAnswerBytes)
        this.#giveUp(`an answer of more than ${this.#limits.maxAnswerBytes} bytes`)
    })
    response.once('end', () => this.#answer(response, Buffer.concat(chunks)))
    response.once('error', (error) => this.#fail(error))
  }

  #answer(response: IncomingMessage, body: Buffer): void {
    if (!response.complete) this.#fail(new Error('incomplete'))
    else this.#settle({ kind: 'answer', status: response.statusCode ?? 0, headers: response.headers, body })
  }

  #fail(error: Error): void {
    const what = this.#written ? 'the connection broke' : 'no connection'
    const withdrawn = error instanceof Withdrawn
    this.#settle(withdrawn ? { kind: 'withdrawn' } : this.#unanswered(`${what}${codeOf(error)}`))
  }

  #giveUp(message: string): void {
    this.#settle(this.#unanswered(message))
    const socket: Socket | null | undefined = this.#sending?.socket
    // Before the request ends it: a closing socket can no longer be reset.
    if (this.#written && socket) reset(socket)
    this.#sending?.destroy()
  }

  #unanswered(message: string): HttpReply {
    return this.#written ? { kind: 'lost', message, ...this.#status } : { kind: 'not_sent', message }
  }
}

/** System and parser codes only: the texts of errors may quote addresses and answers. */
function codeOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : ''
  return /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? ` (${code})` : ''
}
