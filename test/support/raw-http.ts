import { connect, type Socket } from 'node:net'

/** HTTP by the byte, for what fetch does not let through. */
export interface RawAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

export interface RawPeer {
  socket: Socket
  send(...parts: Array<string | Buffer>): void
  /** The next `count` answers; fails when the connection ends before. */
  answers(count: number): Promise<RawAnswer[]>
  /** Settles when the other side has closed. */
  closed: Promise<void>
  end(): void
}

export function rawPeer(port: number): RawPeer {
  const socket = connect(port, '127.0.0.1')
  let received = Buffer.alloc(0)
  let over = false
  let failure: Error | undefined
  let changed: () => void = () => undefined
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    changed()
  })
  socket.on('error', (error) => {
    failure = error
  })
  socket.on('close', () => {
    over = true
    changed()
  })
  const next = async (): Promise<RawAnswer> => {
    for (;;) {
      const parsed = parseAnswer(received)
      if (parsed !== null) {
        received = received.subarray(parsed.length)
        return parsed.answer
      }
      if (over) throw new Error(`the connection ended without an answer: ${failure?.message ?? 'closed'}`)
      await new Promise<void>((resolve) => {
        changed = resolve
      })
    }
  }
  return {
    socket,
    closed,
    send: (...parts) => {
      for (const part of parts) if (!socket.destroyed) socket.write(part)
    },
    answers: async (count) => {
      const all: RawAnswer[] = []
      while (all.length < count) all.push(await next())
      return all
    },
    end: () => socket.destroy(),
  }
}

export function head(path: string, headers: ReadonlyArray<readonly [string, string]>, method = 'POST'): string {
  const lines = [['Host', 'x'] as const, ...headers].map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

function parseAnswer(bytes: Buffer): { answer: RawAnswer; length: number } | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return null
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const status = Number(first.split(' ')[1])
  const length = end + 4 + (status === 100 ? 0 : Number(headers['content-length'] ?? 0))
  if (bytes.length < length) return null
  return { answer: { status, headers, body: bytes.toString('utf8', end + 4, length) }, length }
}
