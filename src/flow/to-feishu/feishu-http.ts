import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import type { ProxyChoice } from '../../platform/proxy.js'
import { createLines, type Line, type Lines } from './connections.js'

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
  /** Begins with the base URL. */
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
  const target = new URL(options.baseUrl)
  const lines = createLines({ target, proxy: options.proxy?.(target) ?? null, connectTimeoutMs, idleMs })
  const limits = { timeoutMs, maxAnswerBytes }
  const pathOf = pathsBelow(options.baseUrl)
  return {
    send: (request, call) => {
      if (call.signal?.aborted)
        return Promise.resolve({ kind: 'not_sent', message: 'the call was ended before it began' })
      if (call.mayWrite?.() === false) return Promise.resolve({ kind: 'withdrawn' })
      const path = pathOf(request.url)
      return new Exchange(call, limits, lines).run(request, path)
    },
    stop: () => lines.stop(),
  }
}

/** From a URL below the base URL to what stands in the request line. */
function pathsBelow(baseUrl: string): (url: string) => string {
  const prefix = baseUrl.replace(/\/+$/, '')
  const basePath = new URL(baseUrl).pathname.replace(/\/+$/, '')
  return (url) => {
    if (!url.startsWith(`${prefix}/`)) throw new Error('a URL for Feishu does not begin with the base URL')
    return basePath + url.slice(prefix.length)
  }
}

interface ExchangeLimits {
  timeoutMs: number
  maxAnswerBytes: number
}

/** Thrown where the first byte would be written: the line then writes nothing and keeps its connection. */
class Withdrawn extends Error {
  override readonly name = 'Withdrawn'
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #call: HttpCall
  readonly #limits: ExchangeLimits
  readonly #lines: Lines
  readonly #line: Line
  readonly #timer: NodeJS.Timeout
  readonly #chunks: Buffer[] = []
  #bytes = 0
  #settle: (reply: HttpReply) => void = () => undefined
  #abort: (() => void) | undefined
  #written = false
  #over = false
  #status: { status: number; headers: IncomingHttpHeaders } | undefined

  constructor(call: HttpCall, limits: ExchangeLimits, lines: Lines) {
    const { timeoutMs } = limits
    this.#call = call
    this.#limits = limits
    this.#lines = lines
    this.#line = lines.take()
    this.#timer = setTimeout(() => this.#giveUp(`no complete answer within ${timeoutMs} ms`), timeoutMs)
  }

  run({ method, headers, body }: HttpRequest, path: string): Promise<HttpReply> {
    return new Promise((resolve) => {
      this.#settle = resolve
      this.#listen()
      const sent = { method, path, headers: { ...headers, 'accept-encoding': 'identity' }, body: body ?? null }
      this.#line.dispatch(sent, this)
    })
  }

  #listen(): void {
    const { signal } = this.#call
    if (signal === undefined) return
    this.#abort = () => this.#giveUp('the call was ended from our side')
    signal.addEventListener('abort', this.#abort, { once: true })
  }

  #end(reply: HttpReply): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    if (this.#abort) this.#call.signal?.removeEventListener('abort', this.#abort)
    this.#settle(reply)
  }

  /** On a connected socket, right before the first byte. */
  onRequestStart(): void {
    if (this.#over || this.#call.mayWrite?.() === false) throw new Withdrawn('withdrawn before its first byte')
    this.#written = true
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // 1xx announce something; the answer comes after them.
    if (status >= 200) this.#status = { status, headers }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes > this.#limits.maxAnswerBytes)
      this.#giveUp(`an answer of more than ${this.#limits.maxAnswerBytes} bytes`)
  }

  onResponseEnd(): void {
    this.#lines.giveBack(this.#line)
    const [first = Buffer.alloc(0), ...others] = this.#chunks
    const body = others.length === 0 ? first : Buffer.concat(this.#chunks)
    this.#end(this.#status ? { kind: 'answer', ...this.#status, body } : this.#unanswered('an answer without a status'))
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#lines.giveBack(this.#line)
    const what = this.#written ? 'the connection broke' : 'no connection'
    this.#end(error instanceof Withdrawn ? { kind: 'withdrawn' } : this.#unanswered(`${what}${codeOf(error)}`))
  }

  /** The line is free when it says so: one that still connects keeps its connection for the next call. */
  #giveUp(message: string): void {
    this.#end(this.#unanswered(message))
    if (this.#written) this.#line.reset()
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
