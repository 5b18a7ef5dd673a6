import { connect } from 'node:net'
import { head } from '../support/raw-http.js'
import { defaultPath } from '../support/receiving.js'

/** Bytes that nobody should take, and the status that they get; null where the connection ends without a word. */
export interface Hostile {
  name: string
  bytes: Buffer
  status: number | null
}

export type Header = readonly [name: string, value: string]

export interface Outcome {
  status: number | null
  body: string
  /** All that came, answers to what followed on the same connection included. */
  raw: string
}

/** A whole request, its length told rightly. */
export function requestOf(body: Buffer | string, headers: Iterable<Header> = [], path = defaultPath): Buffer {
  const bytes = Buffer.from(body)
  const length: Header = ['Content-Length', String(bytes.length)]
  return Buffer.concat([Buffer.from(head(path, [...headers, length])), bytes])
}

/** Sends the bytes on a connection of their own; the first answer, or none when it closes or `patienceMs` go by. */
export function send(port: number, bytes: Buffer, patienceMs = 20_000): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const parts: Buffer[] = []
    const finish = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(read(Buffer.concat(parts).toString('latin1')))
    }
    const timer = setTimeout(finish, patienceMs)
    socket.on('data', (part: Buffer) => {
      parts.push(part)
      if (isWhole(Buffer.concat(parts).toString('latin1'))) finish()
    })
    // A reset is one way to be refused; what came before it counts.
    socket.on('error', () => undefined).on('close', finish)
    socket.write(bytes)
  })
}

const proceed = /^HTTP\/1\.1 100 Continue\r\n\r\n/

function isWhole(raw: string): boolean {
  const final = raw.replace(proceed, '')
  const end = final.indexOf('\r\n\r\n')
  if (end < 0) return false
  if (/\r\nTransfer-Encoding: chunked/i.test(final.slice(0, end))) return final.endsWith('0\r\n\r\n')
  const length = /\r\nContent-Length: (\d+)/i.exec(final.slice(0, end))?.[1]
  return length !== undefined && final.length >= end + 4 + Number(length)
}

function read(raw: string): Outcome {
  const final = raw.replace(proceed, '')
  const status = /^HTTP\/1\.1 (\d{3})/.exec(final)?.[1]
  const end = final.indexOf('\r\n\r\n')
  const body = end < 0 ? '' : final.slice(end + 4)
  return { status: status === undefined ? null : Number(status), body, raw }
}
