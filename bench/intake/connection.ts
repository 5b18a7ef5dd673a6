import { connect, type Socket } from 'node:net'

/** One kept connection with one request at a time, and no more of HTTP than its answers need. */
export interface Connection {
  /** Answers when the whole response is there; throws for any but a 200. */
  send(request: Buffer): Promise<void>
  close(): void
}

const endOfHead = Buffer.from('\r\n\r\n')

export function openConnection(port: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let waiting: { done: () => void; failed: (failure: Error) => void } | undefined
    let held: Buffer = Buffer.alloc(0)
    const fail = (failure: Error) => {
      waiting?.failed(failure)
      reject(failure)
    }
    const onBytes = (bytes: Buffer) => {
      held = held.length === 0 ? bytes : Buffer.concat([held, bytes])
      const verdict = judge(held)
      if (verdict === 'more') {
        // The socket fills the same buffer again.
        held = Buffer.from(held)
        return
      }
      const done = waiting?.done
      held = Buffer.alloc(0)
      if (verdict === 'no') return fail(new Error(`the door did not say 200: ${bytes.toString('latin1', 0, 300)}`))
      waiting = undefined
      done?.()
    }
    const socket: Socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: Buffer.alloc(4096),
        callback: (count, buffer) => {
          onBytes(Buffer.from(buffer.buffer, buffer.byteOffset, count))
          return true
        },
      },
    })
    socket.on('error', fail).on('close', () => fail(new Error('the door closed the connection')))
    socket.once('connect', () =>
      resolve({
        send: (request) =>
          new Promise((done, failed) => {
            if (socket.closed) return failed(new Error('the door had closed the connection'))
            waiting = { done, failed }
            socket.write(request)
          }),
        close: () => void socket.destroy(),
      }),
    )
  })
}

function judge(bytes: Buffer): 'yes' | 'no' | 'more' {
  const head = bytes.indexOf(endOfHead)
  if (head < 0) return 'more'
  const text = bytes.toString('latin1', 0, head)
  const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1]
  if (!text.startsWith('HTTP/1.1 200 ') || length === undefined) return 'no'
  const whole = head + endOfHead.length + Number(length)
  if (bytes.length < whole) return 'more'
  return bytes.length === whole ? 'yes' : 'no'
}
