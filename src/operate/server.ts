import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Started } from '../platform/lifetime.js'
import type { Logger } from '../platform/logger.js'
import { boundConnections, type Connections } from './connections.js'

export interface Listening extends Started {
  port: number
}

export interface Limits {
  /** Each costs some ten KiB, and 16 KiB more while a body arrives that no budget counts yet. */
  connections: number
  /** Slow senders are cut off; the webhook has a shorter clock of its own. */
  headersWithinMs: number
  requestWithinMs: number
  /** And so is who neither sends nor reads. Longer than FEISHU_TIMEOUT_MS can be: some answers wait for Feishu. */
  silentForMs: number
  /** At a stop, a request that was begun may come to its end for so long. */
  begunWithinMs: number
}

const usual: Limits = {
  connections: 5000,
  headersWithinMs: 10_000,
  requestWithinMs: 30_000,
  silentForMs: 150_000,
  begunWithinMs: 2000,
}

/** `leaving`: from then on each answer ends its connection. The listener itself closes at `stop`. */
export async function listen(
  handler: RequestListener,
  host: string,
  port: number,
  leaving: AbortSignal,
  limits: Partial<Limits> = {},
): Promise<Listening> {
  const { connections, headersWithinMs, requestWithinMs, silentForMs, begunWithinMs } = { ...usual, ...limits }
  let stopped: Promise<void> | undefined
  const server = createServer(
    {
      headersTimeout: headersWithinMs,
      requestTimeout: requestWithinMs,
      // Longer than the 60 s after which most proxies close an idle connection themselves.
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 2000,
    },
    (request, response) => {
      if (leaving.aborted || stopped) response.setHeader('Connection', 'close')
      handler(request, response)
    },
  )
  server.setTimeout(silentForMs)
  const open = boundConnections(server, connections)
  leaving.addEventListener('abort', open.announceEnd, { once: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      stopped ??= close(server, open, begunWithinMs)
      return stopped
    },
  }
}

/** Answers under way go on. Node ends connections that wait for another request, not those that never sent a whole one. */
async function close(server: Server, open: Connections, begunWithinMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  open.announceEnd()
  open.endAfterAnswer()
  open.endSilent()
  const clock = setInterval(open.endUnasked, begunWithinMs)
  await closed
  clearInterval(clock)
}

export interface Doors {
  /** Answers Feishu; absent in a process that does not receive. */
  webhook?: (request: IncomingMessage, response: ServerResponse) => Promise<void>
  app: RequestListener
}

/**
 * The webhook is answered ahead of the app: Express' router costs about half of what an acknowledgement takes
 * (docs/decisions/0002).
 */
export function createDoor({ webhook, app }: Doors, log: Logger): RequestListener {
  return (request, response) => {
    if (webhook === undefined || !request.url?.startsWith('/webhooks/feishu')) return app(request, response)
    webhook(request, response).catch((failure: unknown) => {
      log.error({ event: 'webhook.crashed', err: failure }, 'a push could not be answered')
      if (!response.headersSent) response.writeHead(503, { Connection: 'close' })
      response.end()
    })
  }
}
