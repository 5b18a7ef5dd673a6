import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** One request that did not come to a whole answer. */
export interface Mishap {
  what: string
  backend: string
  /** Of Node, as ECONNREFUSED or ECONNRESET. */
  code: string
}

interface Backend {
  url: string
  agent: http.Agent
  isIn: boolean
}

export interface BalancerTerms {
  /** Between two questions for readiness. */
  everyMs: number
  /** So many answers that say no, one after the other, take a backend out: one may be of a database that is slow just now. */
  failures: number
  /** Between the answer and its effect: an endpoint's way through a cluster. */
  learnsAfterMs: number
}

/**
 * What stands in front of receivers: turns over those that are ready, over connections that it keeps. It tries nothing
 * twice, so each mishap is one that a client would have felt.
 */
export class Balancer {
  readonly mishaps: Mishap[] = []
  readonly #terms: BalancerTerms
  readonly #backends = new Map<string, Backend>()
  readonly #server: http.Server
  readonly #asking = new AbortController()
  #next = 0

  private constructor(terms: BalancerTerms) {
    this.#terms = terms
    this.#server = http.createServer({ keepAliveTimeout: 600_000 }, (request, response) =>
      this.#pass(request, response),
    )
  }

  static async start(terms: BalancerTerms): Promise<Balancer> {
    const balancer = new Balancer(terms)
    await new Promise<void>((resolve) => balancer.#server.listen(0, '127.0.0.1', resolve))
    return balancer
  }

  get url(): string {
    // It listens on a port, not on a pipe.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** From now on asked whether it is ready. Settles when requests are led to it. */
  async add(url: string): Promise<void> {
    const backend = { url, agent: new http.Agent({ keepAlive: true, maxFreeSockets: 100 }), isIn: false }
    this.#backends.set(url, backend)
    void this.#watch(backend)
    while (!backend.isIn) await sleep(20, undefined, { signal: this.#asking.signal })
  }

  /** Forgets one that is gone. */
  remove(url: string): void {
    this.#backends.get(url)?.agent.destroy()
    this.#backends.delete(url)
  }

  async stop(): Promise<void> {
    this.#asking.abort()
    for (const url of [...this.#backends.keys()]) this.remove(url)
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #watch(backend: Backend): Promise<void> {
    let failures = this.#terms.failures
    while (this.#backends.has(backend.url)) {
      const isReady = await fetch(`${backend.url}/readyz`).then(
        ({ status }) => status === 200,
        () => false,
      )
      failures = isReady ? 0 : failures + 1
      if (isReady ? !backend.isIn : backend.isIn && failures >= this.#terms.failures) {
        await sleep(this.#terms.learnsAfterMs)
        backend.isIn = isReady
      }
      await sleep(this.#terms.everyMs)
    }
  }

  #pass(request: http.IncomingMessage, response: http.ServerResponse): void {
    const what = `${request.method} ${request.url}`
    const ready = [...this.#backends.values()].filter(({ isIn }) => isIn)
    const backend = ready[this.#next++ % Math.max(1, ready.length)]
    const fail = (code: string) => {
      this.mishaps.push({ what, backend: backend?.url ?? 'none', code })
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    }
    if (backend === undefined) {
      fail('nobody is ready')
      return
    }
    const { method, url, headers } = request
    const { connection: _, ...ended } = headers
    const onward = http.request(`${backend.url}${url}`, { method, headers: ended, agent: backend.agent }, (answer) => {
      const { connection: __, 'keep-alive': ___, ...kept } = answer.headers
      response.writeHead(answer.statusCode ?? 500, kept)
      answer.on('error', (failure) => fail(codeOf(failure)))
      answer.pipe(response)
    })
    onward.on('error', (failure) => fail(codeOf(failure)))
    request.pipe(onward)
  }
}

function codeOf(failure: Error): string {
  return 'code' in failure ? String(failure.code) : failure.message
}
