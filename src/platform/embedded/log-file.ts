import { copyFile, open, stat, truncate } from 'node:fs/promises'
import { isErrno } from './process.js'

const MAX_BYTES = 4 * 1024 * 1024

/**
 * Keeps PostgreSQL's log below a bound: the full file becomes `.1` and starts again empty. It is copied and cut, not
 * renamed, since a server that outlived us goes on writing to the file that it has open (for appending).
 */
export async function boundLog(file: string, maxBytes = MAX_BYTES): Promise<void> {
  if ((await sizeOf(file)) <= maxBytes) return
  await copyFile(file, `${file}.1`)
  await truncate(file)
}

/** The last lines, for an error message. */
export async function tailOf(file: string, bytes = 2_000): Promise<string> {
  const size = await sizeOf(file)
  if (size === 0) return ''
  const handle = await open(file, 'r')
  try {
    const start = Math.max(0, size - bytes)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(size, bytes)), 0, undefined, start)
    return buffer.toString('utf8', 0, bytesRead).trim()
  } finally {
    await handle.close()
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 0
    throw error
  }
}
