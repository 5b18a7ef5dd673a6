import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

interface Exchange {
  request: IncomingMessage
  response: ServerResponse
}

/** What a server that stops does with its connections. */
export interface Connections {
  /** Answers under way whose head is not out yet will say that their connection ends with them. */
  announceEnd: () => void
  /** And every connection ends with its answer, also where nobody could be told. */
  endAfterAnswer: () => void
  /** Ends those that have not sent a byte: whoever made them asked for nothing. */
  endSilent: () => void
  /** Ends those that no answer is being made for. */
  endUnasked: () => void
}

/**
 * Holds a server to `most` connections. One more ends the one that has been without work for longest: that sends a
 * request slowly or not at all, or does not read its answer. So whoever opens many and keeps them harms only himself,
 * and the newest, which has its request with it, is served. Only when all are being worked for, the newest goes.
 */
export function boundConnections(server: Server, most: number): Connections {
  // In the order in which they began to wait for a request. A connection has what it asked last.
  const open = new Map<Socket, Exchange | null>()
  server.on('connection', (socket: Socket) => {
    if (open.size >= most) {
      const idle = longestWithoutWork(open)
      if (idle === undefined) return void socket.destroy()
      // Now, since its event may come after the next connection.
      open.delete(idle)
      idle.destroy()
    }
    open.set(socket, null)
    socket.once('close', () => open.delete(socket))
  })
  server.on('request', (request, response) => {
    const { socket } = request
    if (!open.has(socket)) return
    open.set(socket, { request, response })
    response.once('close', () => {
      if (open.get(socket)?.response !== response) return
      open.delete(socket)
      open.set(socket, null)
    })
  })
  const endWhere = (isToEnd: (socket: Socket, exchange: Exchange | null) => boolean) => {
    for (const [socket, exchange] of open) if (isToEnd(socket, exchange)) socket.destroy()
  }
  return {
    announceEnd: () => {
      for (const exchange of open.values())
        if (exchange?.response.headersSent === false) exchange.response.setHeader('Connection', 'close')
    },
    endAfterAnswer: () => {
      for (const [socket, exchange] of open) exchange?.response.once('close', () => socket.end())
    },
    endSilent: () => endWhere(({ bytesRead }) => bytesRead === 0),
    endUnasked: () => endWhere((_socket, exchange) => exchange === null || !exchange.request.complete),
  }
}

function longestWithoutWork(open: ReadonlyMap<Socket, Exchange | null>): Socket | undefined {
  for (const [socket, exchange] of open) if (exchange === null || !isBeingWorkedFor(exchange)) return socket
  return undefined
}

function isBeingWorkedFor({ request, response }: Exchange): boolean {
  return request.complete && !response.writableEnded
}
