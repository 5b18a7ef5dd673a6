import type { Readable } from 'node:stream'

/** Readers of PDFs look for the mark in so many bytes. */
const within = 1024
const mark = Buffer.from('%PDF-')

/** Whether a body begins as a PDF does. What was read of it is put back. Rejects when it breaks off, or the signal says so. */
export async function beginsAsPdf(body: Readable, signal: AbortSignal): Promise<boolean> {
  let head = Buffer.alloc(0)
  while (head.length < within) {
    const chunk = body.read() as Buffer | null
    if (chunk === null) {
      if ((await nextOf(body, signal)) === 'end') return false
      continue
    }
    head = Buffer.concat([head, chunk])
    if (!head.subarray(0, within).includes(mark)) continue
    // In the same turn as the reading: a body that is all read would end otherwise.
    body.unshift(head)
    return true
  }
  return false
}

function nextOf(body: Readable, signal: AbortSignal): Promise<'readable' | 'end'> {
  return new Promise((resolve, reject) => {
    const broken = () => {
      letGo()
      reject(new Error('the body broke off'))
    }
    const readable = () => {
      letGo()
      resolve('readable')
    }
    const end = () => {
      letGo()
      resolve('end')
    }
    const letGo = () => {
      body.off('readable', readable).off('end', end).off('error', broken).off('close', broken)
      signal.removeEventListener('abort', broken)
    }
    body.once('readable', readable).once('end', end).once('error', broken).once('close', broken)
    signal.addEventListener('abort', broken, { once: true })
    if (body.readableEnded) end()
    else if (body.destroyed || signal.aborted) broken()
  })
}
