import { stat } from 'node:fs/promises'
import { readArchiveFile, UnfitFile } from './file.js'

/** What a file has that an export would replace; what can be read of it where it is damaged. */
export interface Held {
  month: string
  orders: number
}

/**
 * Reads the file that an export would replace: it may be all that is left of a month that was dropped. `null`: there is
 * none, or it is none of ours. Throws an Error in words for operators when it has another month, was written in a later
 * format or cannot be read.
 */
export async function lookAtReplaced(file: string, month: string): Promise<Held | null> {
  // What is something else is refused by whoever writes, and a pipe would be waited for.
  if (!(await isFile(file))) return null
  let held: Held | null = null
  try {
    for await (const part of readArchiveFile(file)) {
      if (part.kind === 'head') held = { month: part.head.month, orders: 0 }
      if (held !== null && held.month !== month)
        throw new Error(`${file} holds ${held.month}, and stays: name another file for ${month}`)
      if (held !== null && part.kind === 'order') held.orders += 1
    }
  } catch (failure) {
    // What was read of it until then is what it has.
    if (!(failure instanceof UnfitFile)) throw failure
  }
  return held
}

/** Throws an Error in words for operators when the file that is there has more of the month than the new one. */
export function refuseFewer(file: string, held: Held | null, orders: number): void {
  if (held === null || held.orders <= orders) return
  throw new Error(
    `${file} holds ${held.orders} orders of ${held.month}, and the database ${orders}: it stays, name another file`,
  )
}

async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile()
  } catch (failure) {
    if (failure instanceof Error && 'code' in failure && failure.code === 'ENOENT') return false
    throw failure
  }
}
