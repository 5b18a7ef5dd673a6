import type { IncomingMessage } from 'node:http'

/** `late`: the body did not arrive in time. `gone`: the sender hung up. */
export type Body = { kind: 'read'; bytes: Buffer } | { kind: 'too_large' } | { kind: 'late' } | { kind: 'gone' }

/** Reads a whole body of up to `limit` bytes within `withinMs`. */
export function readBody(request: IncomingMessage, limit: number, withinMs: number): Promise<Body> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.resolve({ kind: 'too_large' })
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    const timer = setTimeout(() => finish({ kind: 'late' }), withinMs)
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) finish({ kind: 'too_large' })
      else chunks.push(chunk)
    }
    const onEnd = () => finish({ kind: 'read', bytes: Buffer.concat(chunks, size) })
    const onClose = () => finish({ kind: 'gone' })
    const finish = (body: Body) => {
      clearTimeout(timer)
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
      resolve(body)
    }
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
  })
}

/** Reads on for a while what nobody wants, so that the sender sees the answer instead of a reset connection. */
export function drain(request: IncomingMessage, limit: number, withinMs: number, done: () => void): void {
  let size = 0
  const finish = () => {
    clearTimeout(timer)
    done()
  }
  const timer = setTimeout(finish, withinMs)
  request.on('end', finish).on('close', finish).on('error', finish)
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > limit) request.destroy()
  })
}
