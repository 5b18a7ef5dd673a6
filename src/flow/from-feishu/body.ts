import type { IncomingMessage } from 'node:http'
import type { Budget } from './budget.js'

/** `crowded`: other bodies hold all memory there is. `late`: it did not arrive in time. `gone`: the sender hung up. */
export type Body =
  | { kind: 'read'; bytes: Buffer }
  | { kind: 'too_large' }
  | { kind: 'crowded' }
  | { kind: 'late' }
  | { kind: 'gone' }

/**
 * Reads a whole body of up to `limit` bytes within `withinMs`. What a body holds beyond 16 KiB while it arrives comes
 * out of `budget`: an event has a few, so large bodies crowd out each other and no event.
 */
export function readBody(request: IncomingMessage, limit: number, withinMs: number, budget: Budget): Promise<Body> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.resolve({ kind: 'too_large' })
  return new Promise((resolve) => {
    const parts = gather(budget)
    const timer = setTimeout(() => finish({ kind: 'late' }), withinMs)
    const onData = (chunk: Buffer) => {
      if (parts.size() + chunk.length > limit) finish({ kind: 'too_large' })
      else if (!parts.add(chunk)) finish({ kind: 'crowded' })
    }
    const onEnd = () => finish({ kind: 'read', bytes: parts.whole() })
    const onClose = () => finish({ kind: 'gone' })
    const finish = (body: Body) => {
      clearTimeout(timer)
      parts.giveBack()
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
      resolve(body)
    }
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
  })
}

const ownBytes = 16 * 1024
const leastBytes = 4096

/**
 * Copies parts into one buffer: a list of them would hold a hundred bytes and more for each chunk of one byte. What came
 * in one part, as an event does, is not copied.
 */
function gather(budget: Budget) {
  let held: Buffer = Buffer.alloc(0)
  let size = 0
  let taken = 0
  const reserve = (capacity: number): boolean => {
    const more = Math.max(0, capacity - ownBytes) - taken
    if (more <= 0) return true
    if (!budget.take(more)) return false
    taken += more
    return true
  }
  const grow = (needed: number): boolean => {
    let capacity = Math.max(size, leastBytes)
    while (capacity < needed) capacity *= 2
    if (!reserve(capacity)) return false
    const grown = Buffer.allocUnsafe(capacity)
    held.copy(grown, 0, 0, size)
    held = grown
    return true
  }
  return {
    size: () => size,
    add: (part: Buffer): boolean => {
      if (size === 0) {
        if (!reserve(part.length)) return false
        held = part
        size = part.length
        return true
      }
      if (size + part.length > held.length && !grow(size + part.length)) return false
      size += part.copy(held, size)
      return true
    },
    whole: () => held.subarray(0, size),
    giveBack: () => {
      budget.give(taken)
      taken = 0
    },
  }
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
