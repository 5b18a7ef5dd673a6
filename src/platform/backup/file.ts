import { createWriteStream, write as writeBytes, writev } from 'node:fs'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'

/**
 * Writes a file that is there whole or not at all, for its owner only: as `FILE.partial` first, and renamed once it is on
 * the disk. A file of that name is replaced then, and not before. Answers what `write` does, and the size in bytes.
 *
 * Of two that write the same file at once, the one that began first finds its part gone, and throws.
 */
export async function writeWhole<T>(
  file: string,
  write: (out: Writable) => Promise<T>,
): Promise<{ result: T; bytes: number }> {
  await refuseOther(file)
  const partial = `${file}.partial`
  // One that a killed process left may have other rights.
  await rm(partial, { force: true })
  const handle = await open(partial, 'wx', 0o600).catch((cause: unknown) => {
    throw new Error(`${partial} cannot be written`, { cause })
  })
  // Closed last: as long as it is open, no other file has its number.
  try {
    const result = await writeThrough(handle, partial, write)
    const { size } = await handle.stat()
    await refuseTaken(handle, partial, file)
    await rename(partial, file)
    await refuseTaken(handle, file, file)
    await syncFolder(dirname(file))
    return { result, bytes: size }
  } catch (failure) {
    if (await isAt(handle, partial)) await rm(partial, { force: true })
    throw failure
  } finally {
    await handle.close()
  }
}

/** Another process that writes the file has removed this one's part, and put its own there. */
async function refuseTaken(handle: FileHandle, path: string, file: string): Promise<void> {
  if (await isAt(handle, path)) return
  throw new Error(`another process writes ${file} at the same time, and this one gave up: name another file for each`)
}

async function isAt(handle: FileHandle, path: string): Promise<boolean> {
  const mine = await handle.stat({ bigint: true })
  // What cannot be looked at is not ours.
  const there = await stat(path, { bigint: true }).catch(() => undefined)
  return there?.ino === mine.ino && there.dev === mine.dev
}

/** A rename would put a file in the place of a device or a pipe, and fails for a folder once all is written. */
async function refuseOther(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined)
  if (found?.isFile() === false) throw new Error(`${file} is there, and is not a file: name another`)
}

/** A stream that fails would close the file by its number, and then nobody would hear why it failed: the caller closes it. */
async function writeThrough<T>(handle: FileHandle, path: string, write: (out: Writable) => Promise<T>): Promise<T> {
  const leaveOpen = (_fd: number, done: () => void) => done()
  const out = createWriteStream(path, { fd: handle.fd, fs: { write: writeBytes, writev, close: leaveOpen } })
  try {
    const result = await write(out)
    await handle.sync()
    return result
  } finally {
    await ended(out)
  }
}

/** A write that is under way when the writing is given up would find the file closed, or another one under its number. */
function ended(out: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (out.closed) return resolve()
    out.once('close', resolve)
    out.destroy()
  })
}

/** The new name is on the disk when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
