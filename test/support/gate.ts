import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP door in front of a server that a test can shut: shut, connections are refused, as when the server is away. */
export interface Gate {
  url: string
  shut(): Promise<void>
  open(): Promise<void>
}

export async function startGate(target: string): Promise<Gate> {
  const { port: targetPort } = new URL(target)
  const sockets = new Set<Socket>()
  let port = 0
  let server: Server | undefined
  const open = async () => {
    server = createServer((inside) => {
      const outside = connect(Number(targetPort), '127.0.0.1')
      for (const [one, other] of [
        [inside, outside],
        [outside, inside],
      ] as const) {
        sockets.add(one)
        one.on('error', () => other.destroy()).on('close', () => sockets.delete(one))
        one.pipe(other)
      }
    }).listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    port = address !== null && typeof address === 'object' ? address.port : 0
  }
  await open()
  return {
    url: `http://127.0.0.1:${port}`,
    open,
    shut: async () => {
      if (server === undefined) return
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
