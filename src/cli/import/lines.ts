/** A line of a file; `problem` where it cannot be read as text. */
export type Line = { number: number; text: string } | { number: number; problem: string }

const mostBytes = 1_048_576
const newline = 0x0a

/** The lines of a stream of bytes, without the empty ones and without a byte order mark; each at most 1 MiB of UTF-8. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let number = 0
  let bytes = 0
  let parts: Uint8Array[] = []
  const take = (part: Uint8Array) => {
    bytes += part.length
    // What is too long is counted and let go.
    if (bytes <= mostBytes) parts.push(part)
    else parts = []
  }
  const end = () => {
    number += 1
    const line = toLine(number, bytes, parts)
    bytes = 0
    parts = []
    return line
  }
  for await (const chunk of chunks) {
    let from = 0
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      take(chunk.subarray(from, at))
      from = at + 1
      const line = end()
      if (line !== null) yield line
    }
    take(chunk.subarray(from))
  }
  const last = end()
  if (last !== null) yield last
}

function toLine(number: number, bytes: number, parts: readonly Uint8Array[]): Line | null {
  if (bytes > mostBytes) return { number, problem: `expected a line of ${mostBytes} bytes or fewer` }
  const text = decode(Buffer.concat(parts))
  if (text === null) return { number, problem: 'expected UTF-8' }
  return text.trim() === '' ? null : { number, text }
}

/** Names in another encoding would arrive in Feishu as something else. */
function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (failure) {
    if (failure instanceof TypeError) return null
    throw failure
  }
}
