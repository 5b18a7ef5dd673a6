import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Started } from '../platform/lifetime.js'
import type { Logger } from '../platform/logger.js'
import { boundConnections } from './connections.js'

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
}

const usual: Limits = { connections: 5000, headersWithinMs: 10_000, requestWithinMs: 30_000, silentForMs: 150_000 }

export async function listen(
  handler: RequestListener,
  host: string,
  port: number,
  isStopping: () => boolean,
  limits: Partial<Limits> = {},
): Promise<Listening> {
  const { connections, headersWithinMs, requestWithinMs, silentForMs } = { ...usual, ...limits }
  const server = createServer(
    {
      headersTimeout: headersWithinMs,
      requestTimeout: requestWithinMs,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 2000,
    },
    (request, response) => {
      if (isStopping()) response.setHeader('Connection', 'close')
      handler(request, response)
    },
  )
  server.setTimeout(silentForMs)
  boundConnections(server, connections)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  let stopped: Promise<void> | undefined
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      stopped ??= close(server)
      return stopped
    },
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
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
